"""Notices: what a subject is told of a listing, in plain words, and how it gets there by mail."""
