"""`listings mirror`: a court's listings are what its public register says, or nobody is told anything."""

import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from concordat import v1
from concordat.clock import from_timestamp
from concordat.refusal import Refusal
from concordat.v1 import ListingAction, ListingState, Reason, Role, WithdrawalCode
from tests.fake_furnisher_service import Statement
from tests.unit.provider.house import House, ref_of
from tests.unit.provider.listings.builders import ref
from tests.unit.provider.running import running

COURT = "county-court"
ALL_FOUR = ("--attest", "accurate,adult,unsecured,not-frozen")
COLUMNS = "subject_ref,reference,amount,currency,delinquent_since,source_ends_at"
WITHDRAWN = ListingState.LISTING_STATE_WITHDRAWN


def days(count: int) -> str:
    return (datetime.now(UTC) + timedelta(days=count)).date().isoformat()


@dataclass
class Register:
    """A public register: reference to amount, day of entry, and end; written as its extract."""

    path: Path
    entries: dict[str, list[str]] = field(default_factory=dict)

    def enter(self, *references: str, amount: str = "500.00", entered: int = -30) -> None:
        for reference in references:
            subject = ref(f"debtor of {reference}").hex()
            self.entries[reference] = [
                subject,
                reference,
                amount,
                "EUR",
                days(entered),
                days(1000),
            ]

    def text(self, end: str | None = None) -> str:
        lines = [COLUMNS, *(",".join(entry) for entry in self.entries.values())]
        return "\n".join([*lines, end or f"#end,{len(self.entries)}"]) + "\n"

    def write(self, text: str | None = None) -> None:
        self.path.write_text(self.text() if text is None else text)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, COURT, [Role.ROLE_COURT])
    assert house.run("init").exit_code == 0
    yield house
    house.close()


@pytest.fixture
def register(house: House) -> Register:
    register = Register(house.folder / "register.csv")
    register.enter(*(f"C-{n}" for n in range(20)))
    register.write()
    return register


def mirror(house: House, source: str | Path, *more: str) -> tuple[int, dict[str, Any]]:
    result = house.run("listings", "mirror", source, *ALL_FOUR, *more, "--json")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, json.loads(result.stdout) if result.stdout.startswith("{") else {}


def mirrored(house: House, register: Register, *more: str) -> dict[str, Any]:
    """Mirror, and require that both are the same afterwards."""
    register.write()
    code, told = mirror(house, register.path, *more)
    assert code == 0, told
    assert len(house.furnishing.live_debts()) == len(register.entries) == told["synced"]
    return told


def untouched(house: House, act: Callable[[], tuple[int, dict[str, Any]]], why: str) -> None:
    """Require that a run changes nothing, says nothing, and tells why."""
    before = (len(house.furnishing.calls), len(house.furnishing.syncs))
    code, told = act()
    assert code == 1, told
    assert why in told["error"]
    assert (len(house.furnishing.calls), len(house.furnishing.syncs)) == before


def events(house: House, action: ListingAction.ValueType) -> list[v1.ListingEvent]:
    return [event for event in house.furnishing.events.values() if event.action == action]


# What changes in the register -------------------------------------------------------------------


def test_a_register_is_filed_once_and_synced_each_time(house: House, register: Register) -> None:
    told = mirrored(house, register)
    assert (told["filed"], told["unchanged"]) == (20, 0)
    filing = next(iter(house.furnishing.filings.values()))
    assert filing.kind == v1.ListingKind.LISTING_KIND_JUDGMENT
    assert filing.basis == v1.ListingBasis.LISTING_BASIS_JUDGMENT
    assert from_timestamp(filing.source_ends_at).date().isoformat() == days(1000)
    told = mirrored(house, register)
    assert (told["filed"], told["unchanged"], told["corrected"]) == (0, 20, 0)
    assert len(house.furnishing.filings) == 20
    assert len(house.furnishing.syncs) == 2


def test_what_is_new_is_filed_and_what_is_gone_is_withdrawn(
    house: House, register: Register
) -> None:
    mirrored(house, register)
    del register.entries["C-3"]
    register.enter("C-20", "C-21")
    told = mirrored(house, register)
    assert (told["filed"], told["removed"]) == (2, 1)
    (gone,) = events(house, ListingAction.LISTING_ACTION_WITHDRAW)
    assert gone.withdrawal == WithdrawalCode.WITHDRAWAL_CODE_GONE_FROM_REGISTER


def test_what_is_better_for_the_subject_is_corrected(house: House, register: Register) -> None:
    mirrored(house, register)
    register.enter("C-3", amount="400.00")
    register.enter("C-4", entered=-40)
    assert mirrored(house, register)["corrected"] == 2
    corrections = events(house, ListingAction.LISTING_ACTION_CORRECT)
    assert sorted(event.correction.amount.minor for event in corrections) == [40_000, 50_000]
    assert mirrored(house, register)["corrected"] == 0


def test_a_correction_that_was_refused_is_not_tried_again_every_hour(
    house: House, register: Register
) -> None:
    mirrored(house, register)
    house.furnishing.refuse = lambda statement: (
        Refusal(Reason.REASON_CORRECTION_NOT_FAVOURABLE)
        if isinstance(statement, v1.ListingEvent)
        else None
    )
    register.enter("C-3", amount="400.00")
    assert mirrored(house, register)["corrected"] == 1  # and the listing stays in force
    assert mirrored(house, register)["corrected"] == 0
    house.furnishing.refuse = lambda statement: None
    register.enter("C-3", amount="300.00")
    assert mirrored(house, register)["corrected"] == 1


def test_a_courts_own_order_prolongs_an_entry(house: House, register: Register) -> None:
    mirrored(house, register)
    order = ("--until", days(1400), "--order-hash", "ab" * 32, "--json")
    result = house.run("listings", "prolong", "C-3", *order)
    assert result.exit_code == 0
    (event,) = events(house, ListingAction.LISTING_ACTION_PROLONG)
    assert event.prolongation.order_hash == b"\xab" * 32
    assert from_timestamp(event.prolongation.until).date().isoformat() == days(1400)


def test_what_is_worse_is_left_milder_until_it_is_certified(
    house: House, register: Register
) -> None:
    mirrored(house, register)
    register.enter("C-3", amount="900.00")
    register.write()
    code, told = mirror(house, register.path)
    assert (code, told["milder"], told["synced"]) == (3, ["C-3"], 20)
    assert house.furnishing.events == {}
    told = mirrored(house, register, "--reinsert")
    assert told["replaced"] == 1
    amounts = [filing.amount.minor for filing in house.furnishing.filings.values()]
    assert amounts.count(90_000) == 1


def test_what_returns_is_listed_only_once_it_is_certified(house: House, register: Register) -> None:
    mirrored(house, register)
    entry = register.entries.pop("C-3")
    mirrored(house, register)
    register.entries["C-3"] = entry
    register.write()
    code, told = mirror(house, register.path)
    assert (code, told["unlisted"], told["synced"]) == (3, ["C-3"], 19)
    register.enter("C-3", amount="510.00")  # with the same content its evidence would not be new
    assert mirrored(house, register, "--reinsert")["filed"] == 1


def test_what_the_exchange_refuses_is_told_and_the_rest_is_synced(
    house: House, register: Register
) -> None:
    def refuse(statement: Statement) -> Refusal | None:
        small = isinstance(statement, v1.ListingFiling) and statement.amount.minor == 100
        return Refusal(Reason.REASON_LISTING_INELIGIBLE) if small else None

    house.furnishing.refuse = refuse
    register.enter("C-3", amount="1.00")
    register.write()
    code, told = mirror(house, register.path)
    assert (code, told["unlisted"], told["synced"]) == (3, ["C-3"], 19)
    calls = len(house.furnishing.calls)
    assert mirror(house, register.path)[0] == 3
    assert len(house.furnishing.calls) == calls  # and it is not filed again every hour


def test_a_listing_struck_out_at_the_exchange_is_left_so_and_synced_without(
    house: House, register: Register
) -> None:
    mirrored(house, register)
    struck = next(iter(house.furnishing.filings.values()))
    house.furnishing.standing(struck.filing_id).state = WITHDRAWN
    code, told = mirror(house, register.path)
    assert (code, told["synced"], len(told["unlisted"])) == (3, 19, 1)
    code, told = mirror(house, register.path)
    assert (code, told["synced"]) == (3, 19)
    assert len(house.furnishing.filings) == 20


def test_an_entry_whose_own_end_has_come_is_no_entry(house: House, register: Register) -> None:
    register.entries["C-3"][5] = days(-1)
    register.write()
    code, told = mirror(house, register.path)
    assert (code, told["filed"], told["unlisted"]) == (0, 19, [])


def test_subjects_are_looked_up_at_the_registrar(house: House) -> None:
    path = house.folder / "register.csv"
    columns = COLUMNS.replace("subject_ref", "identity_number")
    path.write_text(f"{columns}\nID-1,C-1,500,EUR,{days(-9)},{days(900)}\n#end,1\n")
    assert mirror(house, path)[0] == 0
    (filing,) = house.furnishing.filings.values()
    assert filing.subject_ref == ref_of(b"ID-1")


def test_a_judgment_on_a_debt_that_a_furnisher_listed_has_the_same_name(
    house: House, tmp_path: Path
) -> None:
    folder = tmp_path / "creditor"
    folder.mkdir()
    creditor = House(folder, "dune-telecom", [Role.ROLE_FURNISHER])
    assert creditor.run("init").exit_code == 0
    token = creditor.run("listings", "debt-token", "L-1").stdout.strip()
    debt = ("--subject-ref", ref("ada").hex(), "--reference", "L-1", "--basis", "loan")
    facts = ("--amount", "500", "--currency", "EUR", "--delinquent-since", days(-80))
    proof = ("--evidence-hash", "00" * 32)
    assert creditor.run("listings", "file", *ALL_FOUR, *debt, *facts, *proof).exit_code == 0
    path = house.folder / "register.csv"
    columns = COLUMNS.replace("reference", "debt_token")
    path.write_text(
        f"{columns}\n{ref('ada').hex()},{token},500,EUR,{days(-9)},{days(900)}\n#end,1\n"
    )
    assert mirror(house, path)[0] == 0
    (own,), (courts,) = creditor.furnishing.filings.values(), house.furnishing.filings.values()
    assert own.debt_commitment == courts.debt_commitment
    creditor.close()


def test_the_evidence_of_an_entry_tells_nobody_its_number(house: House, register: Register) -> None:
    mirrored(house, register)
    entry = register.entries["C-3"]
    (filing,) = (
        filing
        for filing in house.furnishing.filings.values()
        if filing.subject_ref == bytes.fromhex(entry[0])
    )
    guesses = [",".join(entry), entry[1], json.dumps(entry)]
    assert filing.evidence_hash not in [hashlib.sha256(g.encode()).digest() for g in guesses]


# It fails closed --------------------------------------------------------------------------------


def lines(register: Register) -> list[str]:
    return register.text().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("bend", "why"),
    [
        pytest.param(lambda r: "".join(lines(r)[:-1]), "#end", id="no-end-line"),
        pytest.param(lambda r: "".join(lines(r)[:-2]), "#end", id="cut-at-a-line"),
        pytest.param(lambda r: r.text()[:-40], "line 21", id="cut-in-a-line"),
        pytest.param(lambda r: "".join(lines(r)[:5] + lines(r)[6:]), "count", id="a-line-lost"),
        pytest.param(lambda r: r.text("#end,19"), "count", id="wrong-count"),
        pytest.param(lambda r: r.text("#end"), "count", id="no-count"),
        pytest.param(lambda r: r.text() + lines(r)[1], "follows", id="something-follows"),
        pytest.param(lambda r: r.text("#end,20,noon"), "time", id="bad-time"),
        pytest.param(lambda r: r.text().replace("500.00", "5OO.00", 1), "line 2", id="bad-row"),
        pytest.param(lambda r: r.text().replace("EUR", "EUR,", 1), "FIELD_COUNT", id="bad-count"),
        pytest.param(lambda r: r.text().replace(COLUMNS, COLUMNS + "x"), "columns", id="columns"),
        pytest.param(lambda r: "", "header", id="empty"),
    ],
)
def test_an_extract_that_is_not_whole_changes_nothing(
    house: House, register: Register, bend: Callable[[Register], str], why: str
) -> None:
    mirrored(house, register)
    register.write(bend(register))
    untouched(house, lambda: mirror(house, register.path), why)


def test_the_same_judgment_twice_changes_nothing(house: House, register: Register) -> None:
    mirrored(house, register)
    text = lines(register)
    register.write("".join([*text[:-1], text[1], "#end,21\n"]))
    untouched(house, lambda: mirror(house, register.path), "twice")


def test_a_register_that_loses_too_many_entries_at_once_is_not_believed(
    house: House, register: Register
) -> None:
    mirrored(house, register)
    for reference in ("C-1", "C-2", "C-3"):
        del register.entries[reference]
    register.write()
    untouched(house, lambda: mirror(house, register.path), "3 of 20 listings are gone")
    register.enter("C-1")
    mirrored(house, register)  # two of twenty is the default's ten percent
    for reference in [*register.entries][:9]:
        del register.entries[reference]
    register.write()
    untouched(house, lambda: mirror(house, register.path), "9 of 18")
    assert mirrored(house, register, "--most-removals", "50")["removed"] == 9


def test_an_empty_register_is_not_believed(house: House, register: Register) -> None:
    mirrored(house, register)
    register.write(f"{COLUMNS}\n#end,0\n")
    untouched(house, lambda: mirror(house, register.path), "20 of 20")


def test_an_old_extract_is_not_used(house: House, register: Register) -> None:
    old = time.time() - 7 * 3600
    os.utime(register.path, (old, old))
    untouched(house, lambda: mirror(house, register.path), "older than")
    assert mirror(house, register.path, "--oldest", "8h")[0] == 0


def test_an_extract_says_itself_when_it_was_read_whenever_it_was_copied(
    house: House, register: Register
) -> None:
    hours_ago = datetime.now(UTC) - timedelta(hours=7)
    register.write(register.text(f"#end,20,{hours_ago:%Y-%m-%dT%H:%M:%SZ}"))
    untouched(house, lambda: mirror(house, register.path), "older than")
    ahead = datetime.now(UTC) + timedelta(hours=1)
    register.write(register.text(f"#end,20,{ahead:%Y-%m-%dT%H:%M:%SZ}"))
    untouched(house, lambda: mirror(house, register.path), "future")
    recent = datetime.now(UTC) - timedelta(minutes=90)
    register.write(register.text(f"#end,20,{recent:%Y-%m-%dT%H:%M:%SZ}"))
    assert mirror(house, register.path)[0] == 0
    read_at = from_timestamp(house.furnishing.syncs[-1].read_at)
    assert abs(read_at - recent) < timedelta(seconds=1)


def test_an_extract_older_than_the_last_one_is_not_used(house: House, register: Register) -> None:
    mirrored(house, register)
    before = datetime.now(UTC) - timedelta(hours=1)
    register.write(register.text(f"#end,20,{before:%Y-%m-%dT%H:%M:%SZ}"))
    untouched(house, lambda: mirror(house, register.path), "mirrored last")


def test_without_an_end_line_a_cut_in_a_line_is_still_noticed(
    house: House, register: Register
) -> None:
    whole = "".join(lines(register)[:-1])
    register.write(whole)
    assert mirror(house, register.path, "--no-end-line")[0] == 0
    register.write(whole[:-2])
    untouched(house, lambda: mirror(house, register.path, "--no-end-line"), "within a line")
    zipped = register.path.with_suffix(".csv.gz")
    zipped.write_bytes(gzip.compress(whole.encode())[:-20])
    untouched(house, lambda: mirror(house, zipped, "--no-end-line"), "damaged")


def test_a_register_that_is_not_there_changes_nothing(house: House) -> None:
    untouched(house, lambda: mirror(house, house.folder / "gone.csv"), "cannot read")
    empty = house.folder / "empty"
    empty.mkdir()
    untouched(house, lambda: mirror(house, empty), "holds no .csv")


@pytest.mark.slow
def test_an_exchange_that_does_not_answer_is_not_told_that_both_are_the_same(
    house: House, register: Register
) -> None:
    house.unplug()
    code, told = mirror(house, register.path, "--wait", "1")
    assert code == 1
    assert "not answered 20" in told["error"]
    house.plug_in()
    assert house.furnishing.syncs == []
    mirrored(house, register)


def test_an_exchange_that_has_other_listings_is_not_synced_with(
    house: House, register: Register
) -> None:
    mirrored(house, register)
    for path in house.folder.glob("provider.db*"):
        path.unlink()
    assert house.run("init").exit_code == 0
    del register.entries["C-3"]  # what this database has forgotten, nobody withdraws
    register.write()
    code, told = mirror(house, register.path)
    assert code == 1
    assert "old copy" in told["error"]
    assert len(house.furnishing.syncs) == 1


@pytest.mark.parametrize(
    "more",
    [("--every", "soon"), ("--oldest", "6"), ("--late", "whatever"), ("--attest", "accurate")],
)
def test_wrong_usage_changes_nothing(
    house: House, register: Register, more: tuple[str, ...]
) -> None:
    assert mirror(house, register.path, *more)[0] == 2
    assert house.furnishing.calls == []


def test_an_entry_that_comes_late_without_a_code_changes_nothing(
    house: House, register: Register
) -> None:
    mirrored(house, register)
    del register.entries["C-3"]
    register.enter("C-20", entered=-200)
    register.write()
    untouched(house, lambda: mirror(house, register.path), "LATE_CODE_MISSING")
    assert mirrored(house, register, "--late", "joined-later")["removed"] == 1


# Where the register lies ------------------------------------------------------------------------


def test_of_a_folder_the_newest_extract_is_taken(house: House, register: Register) -> None:
    folder = house.folder / "extracts"
    folder.mkdir()
    (folder / "monday.csv").write_text(register.text())
    hour_ago = time.time() - 3600
    os.utime(folder / "monday.csv", (hour_ago, hour_ago))
    register.enter("C-20")
    (folder / "tuesday.csv.gz").write_bytes(gzip.compress(register.text().encode()))
    (folder / "wednesday.csv.part").write_text("half of")
    code, told = mirror(house, folder)
    assert (code, told["synced"]) == (0, 21)


@contextmanager
def served(content: bytes, **headers: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/register.csv" else 404)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_register_is_fetched_over_http(house: House, register: Register) -> None:
    content = register.text().encode()
    with served(content, Content_Length=str(len(content))) as url:
        assert mirror(house, f"{url}/register.csv")[0] == 0
        untouched(house, lambda: mirror(house, f"{url}/gone.csv"), "404")
    with served(content, Content_Length=str(len(content) + 10)) as url:
        untouched(house, lambda: mirror(house, f"{url}/register.csv"), "fetched")
    with served(content, Last_Modified="Mon, 02 Jan 2006 15:04:05 GMT") as url:
        untouched(house, lambda: mirror(house, f"{url}/register.csv"), "older than")
    untouched(house, lambda: mirror(house, f"{url}/register.csv"), "fetched")


def test_a_register_is_never_fetched_in_the_clear_from_elsewhere(house: House) -> None:
    untouched(house, lambda: mirror(house, "http://register.example/x.csv"), "https only")


# With a node, and on and on ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_register_is_mirrored_beside_a_node_that_runs(house: House, register: Register) -> None:
    with running(house):
        told = mirrored(house, register)
        assert told["filed"] == 20
        del register.entries["C-3"]
        assert mirrored(house, register)["removed"] == 1
    status = house.run("listings", "status", "--json")
    assert json.loads(status.stdout)["synced"]["entries"] == 19


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_mirroring_goes_on_through_what_fails_until_it_is_stopped(
    house: House, register: Register
) -> None:
    command = [sys.executable, "-m", "provider.main", "listings", "mirror", str(register.path)]
    command += [*ALL_FOUR, "--every", "1s", "--json", "--config", str(house.config)]
    output = house.folder / "mirror.log"
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)

    def wait_for(holds: Callable[[], bool]) -> None:
        for _ in range(1500):
            if holds():
                return
            assert process.poll() is None, output.read_text()
            time.sleep(0.02)
        raise AssertionError(output.read_text())

    try:
        wait_for(lambda: len(house.furnishing.syncs) >= 2)
        register.write("damaged")
        wait_for(lambda: "not synced" in output.read_text())
        register.enter("C-20")
        register.write()
        wait_for(lambda: len(house.furnishing.live_debts()) == 21)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
