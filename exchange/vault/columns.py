"""Columns of tables about a subject."""

from typing import Any

from sqlalchemy import Column, LargeBinary


def subject_ref(**options: Any) -> Column[bytes]:
    """Return a ``subject_ref`` column: 32 bytes to Python, keyed on disk."""
    return Column("subject_ref", LargeBinary(32), **options)
