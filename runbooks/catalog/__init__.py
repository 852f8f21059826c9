"""Runbooks as data: the definitions, the loader that checks them, and the pages that show them."""
