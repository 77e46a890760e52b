"""A provider's node: its own scores, its own checks, its own journal."""
