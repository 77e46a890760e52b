"""Drift: whether providers' scores, and what becomes of their subjects, are still those of the calibration."""
