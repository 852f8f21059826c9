"""What the clock does to people: chains go on, reminders and nudges are said, and somebody watches that they are."""
