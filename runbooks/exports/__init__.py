"""What leaves the portal for others to check."""
