"""Supervision: what regulators read, look up and order, each within its bounds and on record."""
