"""Alembic migrations of the exchange's database."""

from pathlib import Path

SCRIPTS = Path(__file__).parent
