"""Concordat: what every party of the federation shares."""
