"""The unified blacklist: listings with a basis, a clock and a voice."""
