"""Licences in, everyone else out; and the stream by which the others follow."""
