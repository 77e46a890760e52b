"""`concordat wallet rebind`: a new key, with all that the old one signed and saw still readable."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clients.sdk import rebinding
from concordat import v1
from concordat.refusal import Refusal
from concordat.trust.keys import Ed25519Signer
from concordat.v1 import Reason
from tests.unit.clients.cli.conftest import ListingDesk

Wallet = tuple[str, str]


def rebind(desk: ListingDesk, wallet: Wallet, *options: object, code: int = 0) -> Any:
    given = ("--identity-number", "12345", "--code", "new code")
    return desk.json("wallet", "rebind", *given, *options, *wallet, code=code)


def key_in(wallet: Wallet) -> bytes:
    return Ed25519Signer.load(Path(wallet[1]) / "key.pem", None).public_key


def test_a_new_key_takes_the_old_ones_place_and_the_old_one_is_kept_aside(
    listed: ListingDesk,
) -> None:
    wallet = listed.wallet()
    old = key_in(wallet)
    told = rebind(listed, wallet)
    assert (told["version"], told["former_keys"]) == (2, 1)
    assert key_in(wallet) != old
    kept = Path(wallet[1]) / "former-keys" / "before-2.pem"
    assert Ed25519Signer.load(kept, None).public_key == old
    assert not (Path(wallet[1]) / "next-key.pem").exists()


def test_what_the_old_key_signed_still_holds(
    listed: ListingDesk,
) -> None:
    wallet = listed.wallet()
    listed.fake.story(days_ago=100).filed().noticed().effective().disputed()
    granted = listed.fake.granted()
    signer = listed.fake.person.signer
    mine = listed.fake.federation.consent(replace(granted.person, signer=signer))
    listed.fake.consents = [
        v1.ConsentRecord(consent=mine.envelope, state=v1.ConsentState.CONSENT_STATE_ACTIVE)
    ]
    rebind(listed, wallet)
    told = listed.json("wallet", "listings", *wallet)
    assert [one["holds"] for one in told["listings"]] == [True]
    assert len(listed.json("wallet", "list", *wallet)["consents"]) == 1


def test_the_wallet_still_remembers_where_its_chain_ends(listed: ListingDesk) -> None:
    wallet = listed.wallet()
    memory = Path(wallet[1]) / "accesses.json"
    memory.write_text("what it remembers")
    rebind(listed, wallet)
    assert memory.read_text() == "what it remembers"


def test_a_rebind_that_was_refused_changes_nothing_and_goes_on_with_the_same_key(
    listed: ListingDesk,
) -> None:
    wallet = listed.wallet()
    old = key_in(wallet)
    listed.fake.refuse["BindSubject"] = [Refusal(Reason.REASON_ENROLMENT_CODE_INVALID)]
    assert rebind(listed, wallet, code=1)["reason"] == "ENROLMENT_CODE_INVALID"
    assert key_in(wallet) == old
    following = Ed25519Signer.load(Path(wallet[1]) / "next-key.pem", None).public_key
    rebind(listed, wallet)
    assert key_in(wallet) == following


@pytest.mark.parametrize("moment", ["write_atomically", "put_in_place"])
def test_a_rebind_that_dies_midway_is_finished_by_the_next_command(
    listed: ListingDesk, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    wallet = listed.wallet()
    genuine, calls = getattr(rebinding, moment), [0]

    def dies(*arguments: Any) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise OSError(5, "the machine died")
        genuine(*arguments)

    monkeypatch.setattr(rebinding, moment, dies)
    rebind(listed, wallet, code=2)
    monkeypatch.undo()
    rebind(listed, wallet)
    listed.json("wallet", "list", *wallet)
    bound = v1.Envelope.FromString((Path(wallet[1]) / "binding.env").read_bytes())
    assert v1.SubjectBinding.FromString(bound.payload).public_key == key_in(wallet)


def test_a_lost_wallet_is_made_anew_in_another_folder(listed: ListingDesk) -> None:
    listed.wallet()
    fresh = ("--wallet", str(listed.folder / "new phone"))
    assert "trust-bundle" in rebind(listed, fresh, code=2)["advice"]
    told = rebind(listed, fresh, *listed.trust)
    assert (told["version"], told["former_keys"]) == (2, 1)
    assert listed.json("wallet", "listings", *fresh)["ok"]
