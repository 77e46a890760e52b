"""Commands run as they are typed, against a federation on free ports."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clients.cli.main import app
from clients.sdk import dump_permission
from concordat.federation.anchors import save_bundle
from concordat.trust.keys import Ed25519Signer
from tests.builders import LENDER, signer
from tests.fake_federation import FakeFederation
from tests.fake_listings import ListingFederation


@dataclass
class Desk:
    """A federation, and what a person who types commands has at hand."""

    fake: FakeFederation
    folder: Path

    def run(self, *arguments: object, stdin: str = "") -> Any:
        result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    def json(self, *arguments: object, code: int = 0) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def request(self, *options: object) -> tuple[object, ...]:
        consent = self.folder / "ada.consent"
        consent.write_bytes(dump_permission(self.fake.permission()))
        member = self.member(LENDER)
        return ("view", "request", *self.trust, "--member", member, "--consent", consent, *options)

    @property
    def trust(self) -> tuple[str, str]:
        return ("--trust-bundle", str(self.folder / "bundle.json"))

    def member(self, member_id: str) -> Path:
        folder = self.folder / member_id
        folder.mkdir()
        identity = self.fake.identity(member_id)
        (folder / "tls.crt").write_bytes(identity.tls.certificate)
        (folder / "tls.key").write_bytes(identity.tls.private_key)
        signer(member_id).save(folder / "signing.key", None)
        return folder

    def wallet(self) -> tuple[str, str]:
        option = ("--wallet", str(self.folder / "wallet"))
        assert self.run("wallet", "new", *self.trust, *option).exit_code == 0
        bound = self.run(
            "wallet", "bind", "--identity-number", "12345", "--enrolment-code", "code", *option
        )
        assert bound.exit_code == 0, bound.output
        return option


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with FakeFederation(datetime.now(UTC)) as fake:
        save_bundle(fake.federation.bundle, tmp_path / "bundle.json")
        yield Desk(fake, tmp_path)


@dataclass
class ListingDesk(Desk):
    """As ``Desk``, in a federation where listings are filed about ada."""

    fake: ListingFederation

    def wallet(self) -> tuple[str, str]:
        """Make ada's wallet; what ada signs in stories from now on, its key signs."""
        option = super().wallet()
        key = Ed25519Signer.load(Path(option[1]) / "key.pem", None)
        self.fake.person = replace(self.fake.person, signer=key)
        return option


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ListingDesk]:
    monkeypatch.setenv("COLUMNS", "240")  # a terminal that breaks no cell
    with ListingFederation(datetime.now(UTC)) as fake:
        save_bundle(fake.federation.bundle, tmp_path / "bundle.json")
        yield ListingDesk(fake, tmp_path)
