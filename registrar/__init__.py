"""The registrar: identity numbers in, subject references and key bindings out."""

from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
