"""The keyring of the databases that an exchange is tested over; the same in every process of a test."""

from sqlalchemy import Engine

from exchange.database import open_database
from exchange.vault.keyring import Keyring

KEYRING = Keyring(bytes(range(64)), {1: b"wrapping key of all these tests."})


def exchange_engine(url: str) -> Engine:
    """Open an exchange's database with the tests' keyring."""
    return open_database(url, KEYRING)
