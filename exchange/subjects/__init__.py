"""What a subject does alone: inbox, flags, contact."""
