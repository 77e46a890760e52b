"""Backup and restore of the exchange's database, and what a restored log must lead to."""
