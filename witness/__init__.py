"""The witness: cosigns a log's checkpoints once each is proved to extend the one before (C2SP tlog-witness)."""

from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
