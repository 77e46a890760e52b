"""Databases: how each process opens its own, and writes to it in groups."""
