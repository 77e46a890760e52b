"""Consents: granted, paused, resumed, revoked by the subject alone, and counted."""
