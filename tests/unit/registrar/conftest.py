"""A registrar without ports, on a database file, with a subject who asks for a binding."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from concordat import v1
from concordat.store.engine import migrate, open_engine
from concordat.store.group_commit import GroupCommit
from concordat.trust.keys import Ed25519Signer
from concordat.v1 import IdentitySuite
from registrar import MIGRATIONS
from registrar.codes import EnrolmentCodes
from registrar.derivation import KeyedHashDerivation
from registrar.desk import RegistrarDesk
from registrar.identity import IdentityForm
from registrar.possession import possession_bytes
from tests.builders import AT, NAME, REGISTRAR, signer

KEY = bytes(range(32))
NUMBER = "AB-1234 5678"
FORM = IdentityForm(re.compile("^[A-Z0-9-]{4,32}$"))
SUITE = IdentitySuite.IDENTITY_SUITE_KEYED_HASH


def derivation(key: bytes = KEY, federation: str = NAME) -> KeyedHashDerivation:
    return KeyedHashDerivation(key, federation, FORM)


def ref_of(number: str = NUMBER) -> bytes:
    return derivation().evaluate(SUITE, number.encode())


@dataclass
class Office:
    """A desk, and what comes in over it."""

    database: Path
    desk: RegistrarDesk

    def code(self, number: str = NUMBER, hours: float = 72, at: datetime = AT) -> str:
        return self.desk.codes.issue(ref_of(number), at + timedelta(hours=hours))

    def request(
        self,
        code: str,
        number: str = NUMBER,
        wallet: Ed25519Signer | None = None,
        federation: str = NAME,
        **fields: Any,
    ) -> v1.BindSubjectRequest:
        wallet = wallet or signer("wallet")
        given: dict[str, Any] = {
            "identity_number": number,
            "enrolment_code": code,
            "public_key": wallet.public_key,
            "possession_sig": wallet.sign(possession_bytes(federation, number, code)),
        }
        return v1.BindSubjectRequest(**(given | fields))

    def bind(self, code: str, *, at: datetime = AT, **given: Any) -> v1.Envelope:
        return self.desk.bind(self.request(code, **given), at)

    def restarted(self, **changes: Any) -> "Office":
        """Close the database, open it anew, and go on."""
        self.desk.store.close()
        return Office(self.database, replace(self.desk, store=_store(self.database), **changes))


def _store(path: Path) -> GroupCommit:
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine, MIGRATIONS)
    return GroupCommit(engine)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    path = tmp_path / "registrar.db"
    desk = RegistrarDesk(
        federation=NAME,
        derivation=derivation(),
        codes=EnrolmentCodes(KEY, NAME),
        signer=signer(REGISTRAR),
        store=_store(path),
        daily_quota=10,
        binding_days=365,
    )
    yield Office(path, desk)
    desk.store.close()
