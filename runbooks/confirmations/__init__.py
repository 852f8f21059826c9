"""Holders confirm: codes over another channel, pages without sign-in, the service desk, and what the directory says."""
