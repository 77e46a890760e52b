"""Lenders' duties after an access, and the changes that they subscribe to."""
