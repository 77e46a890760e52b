"""What can go wrong while setting up trust."""


class PkiError(Exception):
    """Something cannot be made, read or signed; the text says why and what to do."""
