"""Views: admit, record, gather, pool, sign, release."""
