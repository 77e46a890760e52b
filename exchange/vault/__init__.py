"""What keeps personal data on disk: references keyed, records sealed under a key of their subject."""
