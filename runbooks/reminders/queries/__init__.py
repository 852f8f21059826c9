"""Reading what is due, who is called, what is missing, and whether everything moves."""
