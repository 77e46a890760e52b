"""Files of a wallet: replaced whole or not at all, readable by their owner alone."""

import os
from pathlib import Path

from clients.durable import put_in_place
from clients.sdk.errors import WalletError


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file, readable by its owner alone; raise ``WalletError`` if that can't be."""
    beside = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        put_in_place(beside, path)
    except OSError as error:
        raise WalletError(f"cannot write {path}: {error.strerror}") from error
