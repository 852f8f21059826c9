"""Acting on many accounts: preview, two people, a ledger row an account, read-back, and the way back."""
