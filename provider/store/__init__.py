"""What a provider's node keeps: one file a group of tables, all called on the database thread."""
