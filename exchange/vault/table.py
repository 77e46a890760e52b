"""The subjects' keys, and which keyring the database belongs to."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table

from exchange.schema import metadata
from exchange.vault.columns import KEYED_BYTES, subject_ref

# One row a subject of whom anything is kept. Deleting or replacing it is what erases.
subject_key = Table(
    "subject_key",
    metadata,
    subject_ref(primary_key=True),
    Column("generation", BigInteger, nullable=False),  # random: names this key, and no other ever
    Column("wrapping_key", Integer, nullable=False),  # number in the keyring
    Column("wrapped", LargeBinary, nullable=False),  # nonce, and the data key under AES-256-GCM
    Index("subject_key_by_wrapping_key", "wrapping_key"),
)

# One row: whose keyring this is, and below which number nothing is wrapped any more.
keyring_mark = Table(
    "keyring_mark",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reference", LargeBinary(KEYED_BYTES), nullable=False),  # ``Vault.mark``
    Column("least_wrapping_key", Integer, nullable=False),
)
