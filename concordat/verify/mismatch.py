"""What is wrong where every statement verifies alone and they do not fit together."""


class MismatchError(Exception):
    """Two statements, or a statement and what was computed anew, disagree; the text says how."""
