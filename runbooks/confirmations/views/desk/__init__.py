"""Pages of whoever reaches holders: codes sent, letters printed, calls made."""
