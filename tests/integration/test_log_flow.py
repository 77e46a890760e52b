"""The log of a federation in real processes, as strangers, the lender, a provider and the person see it."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.sandbox import EXCHANGE, Person, Sandbox
from clients.sandbox.demo import BORROWERS
from clients.sandbox.set_up import kind_of
from clients.sdk import LenderView, RemoteError
from concordat.rpc.errors import name_of
from concordat.verify.bundle import dump_bundle
from tests.metric_pages import SERIES, exported_by, families, samples, scraped

UNWITNESSED_SECONDS = 2.0
FIRM, SHOP, *_ = BORROWERS
PROGRAMS = Path(sys.executable).parent
pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]


@pytest.fixture(scope="module")
def federation() -> Iterator[Sandbox]:
    settings = {
        "exchange": {
            "log": {"unwitnessed_seconds": UNWITNESSED_SECONDS, "witness_timeout_seconds": 0.5}
        }
    }
    with Sandbox(providers=2, witnesses=3, scores=True, settings=settings) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def firm(federation: Sandbox) -> Person:
    (person,) = federation.enrol([FIRM])
    return person


@pytest.fixture(scope="module")
def view(federation: Sandbox, firm: Person) -> LenderView:
    return federation.lender().request_view(firm.consent(federation.provider_ids))


def concordat(*arguments: object, code: int = 0) -> Any:
    """Run the command line as a person would, and return its JSON."""
    command = [str(PROGRAMS / "concordat"), *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def wallet_of(federation: Sandbox, person: Person, folder: Path) -> Path:
    """Put a person's wallet into a folder, as `concordat wallet` keeps it."""
    (folder / "consents").mkdir(parents=True)
    shutil.copyfile(federation.trust_bundle, folder / "trust-bundle.json")
    person.key.signer.save(folder / "key.pem", None)  # type: ignore[attr-defined]  # a file's
    (folder / "binding.env").write_bytes(person.key.binding.SerializeToString())
    return folder


def eventually(look: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def refused(federation: Sandbox, person: Person) -> str:
    """Return why a view is refused now, or nothing."""
    try:
        federation.lender().request_view(person.consent(federation.provider_ids))
    except RemoteError as error:
        return name_of(error.reason)
    return ""


def test_a_stranger_audits_watches_and_proves_the_log_over_http(
    federation: Sandbox, view: LenderView, tmp_path: Path
) -> None:
    bundle = ("--trust-bundle", federation.trust_bundle)
    report = concordat("log", "audit", *bundle)
    assert report["ok"]
    assert report["kinds"]["access intent"] >= 1
    assert report["kinds"]["licence"] >= len(federation.provider_ids)

    witness = federation.ports[federation.witness_ids[0]].member_address
    peer = ("--peer", f"http://{witness}/")
    assert concordat("log", "watch", "--once", "--state", tmp_path / "w", *peer, *bundle)["ok"]

    index = view.bundle.intent.index
    proof = tmp_path / "access.tlog-proof"
    assert concordat("log", "prove", index, "--out", proof, *bundle)["ok"]
    entry = view.bundle.intent.entry.hex()
    assert concordat("log", "check-proof", proof, "--entry", entry, *bundle)["ok"]
    concordat("log", "check-proof", proof, "--entry", "00" + entry[2:], *bundle, code=1)


def test_the_person_finds_the_receipts_of_lender_and_provider_among_its_entries(
    federation: Sandbox, firm: Person, view: LenderView, tmp_path: Path
) -> None:
    held = tmp_path / "view.cbundle"
    held.write_bytes(dump_bundle(view.bundle))
    provider = federation.provider_ids[0]
    settings = ["--config", str(federation.config(provider))]
    out = ["--subject-ref", firm.subject_ref.hex(), "--out", str(tmp_path / "receipts")]
    program = str(PROGRAMS / "concordat-provider")
    subprocess.run([program, "receipts", *settings, *out], check=True, capture_output=True)
    files = [held, *sorted((tmp_path / "receipts").iterdir())]
    wallet = wallet_of(federation, firm, tmp_path / "wallet")
    receipts = [argument for file in files for argument in ("--receipt", file)]
    listed = concordat("wallet", "accesses", "--wallet", wallet, *receipts)
    assert listed["receipts_found"] == len(files) + 1  # the lender's file has two
    assert [entry["sequence"] for entry in listed["entries"]] == list(
        range(1, len(listed["entries"]) + 1)
    )
    assert {"access intent", "access release", "consent"} <= {e["kind"] for e in listed["entries"]}
    assert len(listed["witnesses"]) >= federation.anchors.bundle.witness_quorum


def test_every_process_shows_its_metrics_and_nothing_of_the_person(
    federation: Sandbox, firm: Person, view: LenderView
) -> None:
    consent = firm.consent(federation.provider_ids)
    firm.revoke(consent)
    secrets = [firm.subject_ref, view.view.view_id, view.view.receipt.access_id]
    for member, address in federation.metrics.items():
        page = scraped(address)
        assert families(page) == exported_by(kind_of(member))
        for name, labels in samples(page):
            if name in SERIES:
                assert set(labels) - {"le"} == {label.name for label in SERIES[name].labels}
        assert FIRM not in page
        for secret in secrets:
            assert secret.hex() not in page
        assert re.search(r"[0-9a-fA-F]{32}", page) is None  # nor any other id or digest
    exchange = scraped(federation.metrics[EXCHANGE])
    assert 'concordat_views_total{purpose="CREDIT_APPLICATION",result="COMPLETE"}' in exchange
    assert re.search(r"concordat_consent_revocation_seconds_count [1-9]", exchange)
    assert "concordat_scrape_failures_total 0.0" in exchange


def test_somebody_elses_receipt_is_not_among_them(
    federation: Sandbox, view: LenderView, tmp_path: Path
) -> None:
    (shop,) = federation.enrol([SHOP])
    federation.lender().request_view(shop.consent(federation.provider_ids))
    held = tmp_path / "view.cbundle"
    held.write_bytes(dump_bundle(view.bundle))
    wallet = wallet_of(federation, shop, tmp_path / "wallet")
    answer = concordat("wallet", "accesses", "--wallet", wallet, "--receipt", held, code=2)
    assert "somebody else" in answer["advice"]


def test_a_restarted_exchange_goes_on_with_the_same_log(
    federation: Sandbox, firm: Person, tmp_path: Path
) -> None:
    bundle = ("--trust-bundle", federation.trust_bundle, "--state", tmp_path / "w")
    before = concordat("log", "watch", "--once", *bundle)
    federation.process(EXCHANGE).kill()
    federation.process(EXCHANGE).restart()
    eventually(lambda: refused(federation, firm) == "")
    after = concordat("log", "watch", "--once", *bundle)
    assert after["size"] > before["size"]


def test_without_enough_witnesses_nothing_is_released_after_the_bound(
    federation: Sandbox, firm: Person
) -> None:
    away = [federation.process(name) for name in federation.witness_ids[:2]]
    for witness in away:
        witness.kill()
    try:
        assert refused(federation, firm) == ""  # within the bound
        eventually(lambda: refused(federation, firm) == "LOG_UNWITNESSED")
        firm.consent(federation.provider_ids)  # the person's own acts go on
    finally:
        for witness in away:
            witness.start()
    eventually(lambda: refused(federation, firm) == "", 60)
