"""Checks of consents, requests, statements and views: offline, with the time passed in."""
