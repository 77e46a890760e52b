"""Real company debts, from their filing to their end: see ``benchmarks/listings_real.py``."""
