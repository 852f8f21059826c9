"""The demonstration: a fictitious institution, and an exercise of a day and two hours played through the operations."""
