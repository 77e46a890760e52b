"""Limits of lenders: quotas, and what is done where a lender's use looks like fishing."""
