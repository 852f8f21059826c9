"""Files as evidence: kept under their hash, with a log of everybody who had them in hand."""
