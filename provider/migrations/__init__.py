"""Alembic's scripts."""

from pathlib import Path

SCRIPTS = Path(__file__).parent
