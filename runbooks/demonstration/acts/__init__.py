"""What happens in the exercise, by subject. Each module's `cues()` says when; the story plays them in order of time."""
