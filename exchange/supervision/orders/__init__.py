"""A regulator's orders to put listings right, and its oversight of disputes."""
