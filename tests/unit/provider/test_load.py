"""`concordat-provider load`: takes what is valid, says what is not, and can be run again."""

import csv
import gzip
import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress, TaskID

from concordat import v1
from concordat.store.reading import opened_to_read
from provider.commands import load as load_command
from provider.database import own_database
from provider.loading import csv_file
from provider.loading.files import open_score_file
from provider.scores import Score
from provider.store import scores
from tests.unit.provider.house import SELF, House, ref_of

HEADER = "subject_ref,score,as_of,model_version,reasons"
REF = "ab" * 32
OTHER = "cd" * 32


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    assert house.run("init").exit_code == 0
    yield house
    house.close()


def load(house: House, rows: str | bytes | Path, *options: str) -> tuple[int, dict[str, Any]]:
    path = rows
    if not isinstance(path, Path):
        path = house.folder / "input.csv"
        path.write_bytes(rows.encode() if isinstance(rows, str) else bytes(rows))
    result = house.run("load", path, "--licence", house.licence, "--json", *options)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    counts = json.loads(result.stdout) if result.stdout.startswith("{") else {}
    return result.exit_code, counts


def stored(house: House, *refs: str) -> dict[str, Score]:
    with own_database(f"sqlite:///{house.folder}/provider.db") as engine, engine.connect() as c:
        found = scores.read(c, [bytes.fromhex(ref) for ref in refs])
    return {ref.hex(): score for ref, score in found.items()}


def rejects(house: House) -> list[tuple[str, str]]:
    path = house.folder / "input.csv.rejects.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [(row["line"], row["reason"]) for row in csv.DictReader(file)]


def row(ref: str = REF, score: str = "700", as_of: str = "2026-05-01", rest: str = "m-1,") -> str:
    return f"{ref},{score},{as_of},{rest}\n"


def test_a_good_file_is_loaded_and_loading_it_again_changes_nothing(house: House) -> None:
    content = f"{HEADER}\n{row()}{row(OTHER, '350', rest='m-1,BK02;BK01')}"
    code, counts = load(house, content)
    assert (code, counts["loaded"], counts["rejected"]) == (0, 2, {})
    code, counts = load(house, content)
    assert (code, counts["loaded"], counts["unchanged"]) == (0, 0, 2)
    assert stored(house, OTHER)[OTHER].reasons == ("BK02", "BK01")
    assert rejects(house) == []


BAD: list[tuple[str, str | bytes, str]] = [
    ("underscore", row(score="1_5"), "SCORE_NOT_INTEGER"),
    ("plus", row(score="+700"), "SCORE_NOT_INTEGER"),
    ("space", row(score=" 700"), "SCORE_NOT_INTEGER"),
    ("nan", row(score="NaN"), "SCORE_NOT_INTEGER"),
    ("fraction", row(score="700.0"), "SCORE_NOT_INTEGER"),
    ("exponent", row(score="7e2"), "SCORE_NOT_INTEGER"),
    ("leading-zero", row(score="0700"), "SCORE_NOT_INTEGER"),
    ("other-digits", row(score="७००"), "SCORE_NOT_INTEGER"),
    ("empty-score", row(score=""), "SCORE_NOT_INTEGER"),
    ("too-long", row(score="9" * 400), "SCORE_NOT_INTEGER"),
    ("below", row(score="299"), "SCORE_OUT_OF_SCALE"),
    ("above", row(score="851"), "SCORE_OUT_OF_SCALE"),
    ("negative", row(score="-5"), "SCORE_OUT_OF_SCALE"),
    ("short-ref", row(ref=REF[:-1]), "SUBJECT_REF_MALFORMED"),
    ("spaced-ref", row(ref=REF[:-2] + " a"), "SUBJECT_REF_MALFORMED"),
    ("future", row(as_of="2999-01-01"), "AS_OF_IN_FUTURE"),
    ("us-date", row(as_of="05/01/2026"), "AS_OF_MALFORMED"),
    ("no-such-day", row(as_of="2026-02-30"), "AS_OF_MALFORMED"),
    ("week-date", row(as_of="2026-W05-1"), "AS_OF_MALFORMED"),
    ("before-1970", row(as_of="1969-12-31"), "AS_OF_MALFORMED"),
    ("model", row(rest="my model,"), "MODEL_VERSION_MALFORMED"),
    ("unlicensed-code", row(rest="m-1,ZZ01"), "REASON_NOT_LICENSED"),
    ("free-text", row(rest="m-1,pays late"), "REASON_NOT_LICENSED"),
    ("code-twice", row(rest="m-1,BK01;BK01"), "REASONS_MALFORMED"),
    (
        "nine-codes",
        row(rest="m-1," + ";".join(f"BK0{n}" for n in range(1, 10))),
        "REASONS_MALFORMED",
    ),
    ("one-field-more", row(rest="m-1,,"), "FIELD_COUNT_WRONG"),
    ("one-field-less", row(rest="m-1"), "FIELD_COUNT_WRONG"),
    ("latin-1", row(rest="m-é,").encode("latin-1"), "NOT_UTF8"),
    ("nul", b"\x00" + row().encode(), "SUBJECT_REF_MALFORMED"),
    ("stray-quote", row(rest='m-1,"BK01'), "QUOTES_MALFORMED"),
    ("endless-line", b"x" * 20_000 + b"\n", "LINE_TOO_LONG"),
]


@pytest.mark.parametrize(("line", "reason"), [pytest.param(b, r, id=i) for i, b, r in BAD])
def test_a_bad_row_is_rejected_by_line_and_reason_and_costs_no_other(
    house: House, line: str | bytes, reason: str
) -> None:
    bad = line if isinstance(line, bytes) else line.encode()
    head, good = f"{HEADER}\n".encode(), row(OTHER).encode()
    code, counts = load(house, head + bad + good)
    assert (code, counts["loaded"], counts["rejected"]) == (3, 1, {reason: 1})
    assert rejects(house) == [("2", reason)]
    assert list(stored(house, REF, OTHER)) == [OTHER]


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda c: c.replace("\n", "\r\n").encode(), id="crlf"),
        pytest.param(lambda c: b"\xef\xbb\xbf" + c.encode(), id="byte-order-mark"),
        pytest.param(lambda c: gzip.compress(c.encode()), id="gzip"),
        pytest.param(lambda c: c.rstrip("\n").encode(), id="no-last-newline"),
        pytest.param(lambda c: c.replace(REF, f'"{REF}"').encode(), id="quoted"),
        pytest.param(lambda c: c.replace("\n", "\n\n").encode(), id="blank-lines"),
        pytest.param(
            lambda c: c.replace("2026-05-01", "2026-05-01T02:00+02:00").encode(), id="offset"
        ),
    ],
)
def test_the_same_rows_in_another_form_are_the_same(
    house: House, form: Callable[[str], bytes]
) -> None:
    assert load(house, form(f"{HEADER}\n{row()}"))[0] == 0
    assert stored(house, REF) == {REF: Score(700, 1_777_593_600_000_000, "m-1", ())}


@pytest.mark.parametrize(
    ("header", "says"),
    [
        pytest.param(
            "subject_ref,score,as_of,model_version,religion", "unknown: 'religion'", id="prohibited"
        ),
        pytest.param("subject_ref,score,as_of", "missing: model_version", id="missing"),
        pytest.param(
            "subject_ref,identity_number,score,as_of,model_version", "exactly one", id="both"
        ),
        pytest.param("score,as_of,model_version", "exactly one", id="neither"),
        pytest.param("subject_ref,score,score,as_of,model_version", "twice: score", id="twice"),
        pytest.param("subject_ref;score;as_of;model_version", "unknown", id="semicolons"),
        pytest.param("", "no header", id="empty"),
    ],
)
def test_wrong_columns_refuse_the_whole_file_and_say_what_is_expected(
    house: House, header: str, says: str
) -> None:
    (house.folder / "input.csv").write_text(f"{header}\n{row()}")
    result = house.run("load", house.folder / "input.csv", "--licence", house.licence)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "model_version" in result.stderr
    assert stored(house, REF) == {}


def test_another_encoding_is_named(house: House) -> None:
    path = house.folder / "input.csv"
    for content, says in (
        (f"{HEADER}\n{row()}".encode("utf-16"), "UTF-16"),
        (b"subject_ref,sc\xf6re\n", "byte 14"),
    ):
        path.write_bytes(content)
        result = house.run("load", path, "--licence", house.licence)
        assert result.exit_code == 2
        assert says in result.stderr


def test_an_older_score_never_replaces_a_newer_one(house: House) -> None:
    load(house, f"{HEADER}\n{row(score='700', as_of='2026-05-02')}")
    code, counts = load(house, f"{HEADER}\n{row(score='400', as_of='2026-05-01')}")
    assert (code, counts["unchanged"]) == (0, 1)
    assert stored(house, REF)[REF].score == 700
    load(house, f"{HEADER}\n{row(score='500', as_of='2026-05-02T08:00:00Z')}")
    assert stored(house, REF)[REF].score == 500


def test_duplicates_in_a_file_end_the_same_however_often_it_is_loaded(house: House) -> None:
    content = (
        f"{HEADER}\n{row(score='400', as_of='2026-05-01')}{row(score='600', as_of='2026-05-03')}"
        f"{row(score='500', as_of='2026-05-02')}{row(score='601', as_of='2026-05-03')}"
        f"{row(score='600', as_of='2026-05-03')}"
    )
    for loaded, unchanged in ((2, 2), (0, 4)):
        code, counts = load(house, content)
        assert (code, counts["loaded"], counts["unchanged"]) == (3, loaded, unchanged)
        assert rejects(house) == [("5", "CONFLICTS_WITH_STORED")]
        assert stored(house, REF)[REF].score == 600


def test_nothing_loadable_is_a_failure(house: House) -> None:
    assert load(house, f"{HEADER}\n{row(score='x')}")[0] == 1
    assert load(house, f"{HEADER}\n")[0] == 1


def test_an_earlier_runs_rejects_do_not_stay(house: House) -> None:
    load(house, f"{HEADER}\n{row(score='x')}")
    load(house, f"{HEADER}\n{row()}")
    assert rejects(house) == []


def test_a_gzip_that_is_cut_off_keeps_what_came_before(house: House) -> None:
    lines = [row(hashlib.sha256(bytes([n // 256, n % 256])).hexdigest()) for n in range(3000)]
    path = house.folder / "input.csv.gz"
    whole = gzip.compress(f"{HEADER}\n{''.join(lines)}".encode())
    path.write_bytes(whole[: len(whole) // 2])
    code, counts = load(house, path)
    assert code == 1
    assert 0 < counts["loaded"] < 3000
    assert "cut off" in counts["cut_short"]
    path.write_bytes(whole)
    code, again = load(house, path)
    assert (code, again["loaded"] + counts["loaded"]) == (0, 3000)


def test_without_a_licence_there_is_no_scale_and_no_load(house: House) -> None:
    (house.folder / "input.csv").write_text(f"{HEADER}\n{row()}")
    result = house.run("load", house.folder / "input.csv")
    assert result.exit_code == 2
    assert "--licence" in result.stderr


def test_another_providers_licence_is_refused(house: House) -> None:
    other = house.federation.member("birch-payments").licence_envelope
    house.licence.write_bytes(other.SerializeToString())
    assert load(house, f"{HEADER}\n{row()}")[0] == 2


def test_a_forged_licence_is_refused(house: House) -> None:
    forged = house.federation.licence(SELF, v1.Role.ROLE_PROVIDER, roots=1)
    house.licence.write_bytes(forged.SerializeToString())
    assert load(house, f"{HEADER}\n{row()}")[0] == 1


def test_a_running_node_is_not_loaded_beside(house: House) -> None:
    (house.folder / "input.csv").write_text(f"{HEADER}\n{row()}")
    with own_database(f"sqlite:///{house.folder}/provider.db"):
        result = house.run("load", house.folder / "input.csv", "--licence", house.licence)
    assert result.exit_code == 1
    assert "stop it first" in result.stderr


# Identity numbers -------------------------------------------------------------------------------


def test_identity_numbers_are_resolved_by_the_registrar_in_thousands(house: House) -> None:
    numbers = [f"id-{n}" for n in range(2500)]
    body = "".join(row(ref=number) for number in [*numbers, "bad-1", "x" * 65])
    code, counts = load(house, f"{HEADER.replace('subject_ref', 'identity_number')}\n{body}")
    assert (code, counts["loaded"]) == (3, 2500)
    assert counts["rejected"] == {"IDENTITY_MALFORMED": 2}
    assert house.peer.batches == [1000, 1000, 501]
    ref = ref_of(b"id-7").hex()
    assert stored(house, ref)[ref].score == 700
    assert {line for line, _ in rejects(house)} == {"2502", "2503"}


def test_a_rejects_file_holds_no_personal_data(house: House) -> None:
    header = HEADER.replace("subject_ref", "identity_number")
    load(house, f"{header}\n{row(ref='bad-19700101-1234', score='700')}")
    content = (house.folder / "input.csv.rejects.csv").read_text()
    assert "19700101" not in content
    assert "700" not in content


def test_a_registrar_that_is_away_cuts_the_load_short(house: House) -> None:
    house.close()
    header = HEADER.replace("subject_ref", "identity_number")
    code, counts = load(house, f"{header}\n{row(ref='id-1')}")
    assert code == 1
    assert "UNAVAILABLE" in counts["cut_short"]


# Parquet ----------------------------------------------------------------------------------------


def write_parquet(path: Path, columns: dict[str, Sequence[Any]]) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq  # noqa: PLC0415 - an optional extra

    pq.write_table(pa.table(columns), path)


def test_parquet_is_read_by_the_same_rules(house: House) -> None:
    path = house.folder / "input.parquet"
    write_parquet(
        path,
        {
            "subject_ref": [REF, OTHER, REF],
            "score": [700, 9000, None],
            "as_of": ["2026-05-01", "2026-05-01", "2026-05-01"],
            "model_version": ["m-1"] * 3,
            "reasons": ["BK01", None, None],
        },
    )
    code, counts = load(house, path)
    assert (code, counts["loaded"]) == (3, 1)
    assert counts["rejected"] == {"SCORE_NOT_INTEGER": 1, "SCORE_OUT_OF_SCALE": 1}
    assert stored(house, REF)[REF].reasons == ("BK01",)


def test_parquet_of_several_row_groups_is_read_whole_and_by_number(house: House) -> None:
    path = house.folder / "input.parquet"
    write_many_parquet(path, 1050, group_rows=100)
    file = open_score_file(path)
    numbers, found = zip(*file.rows(), strict=True)
    assert numbers == tuple(range(1, 1051))
    assert [tuple(cells) for cells in found] == [
        (ref, str(score), day, model, reasons)
        for ref, score, day, model, reasons in many_rows(1050)
    ]
    assert file.position() == file.size
    file.close()


def test_parquet_with_floats_takes_no_nan(house: House) -> None:
    path = house.folder / "input.parquet"
    write_parquet(
        path,
        {
            "subject_ref": [REF, OTHER],
            "score": [float("nan"), 700.0],
            "as_of": ["2026-05-01"] * 2,
            "model_version": ["m-1"] * 2,
        },
    )
    code, counts = load(house, path)
    assert (code, counts["rejected"]) == (1, {"SCORE_NOT_INTEGER": 2})


def test_a_file_that_is_no_parquet_is_refused(house: House) -> None:
    path = house.folder / "input.parquet"
    path.write_text("subject_ref,score\n")
    result = house.run("load", path, "--licence", house.licence)
    assert result.exit_code == 2
    assert "no Parquet" in result.stderr


def test_parquet_without_pyarrow_gets_advice(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "provider.loading.parquet_file", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = house.run("load", house.folder / "input.parquet", "--licence", house.licence)
    assert result.exit_code == 2
    assert "concordat[parquet]" in result.stderr.replace("\n", " ")


# Size -------------------------------------------------------------------------------------------


def many_rows(count: int) -> Iterator[tuple[str, int, str, str, str]]:
    for n in range(count):
        ref = hashlib.sha256(b"%d" % n).hexdigest()
        day = f"2026-05-{1 + n % 28:02d}"
        yield ref, 300 + n % 551, day, "m-1", f"BK01;BK0{2 + n % 8}"


def write_many_csv(path: Path, rows: int) -> None:
    with path.open("w") as file:
        file.write(f"{HEADER}\n")
        for ref, score, day, model, reasons in many_rows(rows):
            file.write(f"{ref},{score},{day},{model},{reasons}\n")


def write_many_parquet(path: Path, rows: int, group_rows: int = 1_000_000) -> None:
    """Write row groups of a million, as Parquet's writers do."""
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq  # noqa: PLC0415 - an optional extra

    names = HEADER.split(",")
    kinds = [pa.string(), pa.int32(), pa.string(), pa.string(), pa.string()]
    schema = pa.schema(list(zip(names, kinds, strict=True)))
    waiting = many_rows(rows)
    with pq.ParquetWriter(path, schema) as writer:
        while group := list(islice(waiting, group_rows)):
            columns = dict(zip(names, zip(*group, strict=True), strict=True))
            writer.write_table(pa.table(columns, schema), row_group_size=len(group))


FORMS = [
    pytest.param("many.csv", write_many_csv, id="csv"),
    pytest.param("many.parquet", write_many_parquet, id="parquet"),
]


def load_apart(house: House, path: Path) -> tuple[dict[str, Any], int]:
    """Load in a process of its own; return its counts and its peak memory, bytes.

    The peak is the kernel's for this program alone (VmHWM): ``ru_maxrss`` would count that of the test
    process too, from which this one was forked.
    """
    script = (
        "import re, sys; from provider.main import app\n"
        "try: app(sys.argv[1:])\n"
        "finally: print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) * 1024)"
    )
    arguments = ["load", path, "--licence", house.licence, "--config", house.config, "--json"]
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts, peak = done.stdout.splitlines()
    return json.loads(counts), int(peak)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "write"), FORMS)
def test_a_hundred_thousand_rows_are_loaded_in_bounded_memory(
    house: House, name: str, write: Callable[[Path, int], None]
) -> None:
    path = house.folder / name
    write(path, 100_000)
    counts, peak = load_apart(house, path)
    assert (counts["loaded"], counts["rejected"]) == (100_000, {})
    assert peak < 320_000_000  # of which the program itself is some 200


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize(("name", "write"), FORMS)
def test_ten_million_rows_are_loaded_in_bounded_memory(
    house: House, name: str, write: Callable[[Path, int], None]
) -> None:
    path = house.folder / name
    write(path, 10_000_000)
    counts, peak = load_apart(house, path)
    assert counts["loaded"] == 10_000_000
    assert peak < 320_000_000  # of which the program itself is some 200


KILLED_IN_THE_SECOND_CHUNK = """
import os, signal, sys
from provider.loading import load
from provider.main import app
from provider.store import scores

put, chunks = scores.put, []

def put_and_die(connection, rows):
    put(connection, rows)
    chunks.append(len(rows))
    if len(chunks) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

load.CHUNK_ROWS, scores.put = 1000, put_and_die
app(sys.argv[1:])
"""


def test_a_load_that_is_killed_and_run_again_ends_the_same(house: House) -> None:
    path = house.folder / "many.csv"
    write_many_csv(path, 2500)
    arguments = ["load", path, "--licence", house.licence, "--config", house.config]
    script = [sys.executable, "-c", KILLED_IN_THE_SECOND_CHUNK, *map(str, arguments)]
    killed = subprocess.run(script, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert count_scores(house) == 1000
    code, counts = load(house, path)
    assert (code, counts["loaded"], counts["unchanged"]) == (0, 1500, 1000)
    assert count_scores(house) == 2500


def count_scores(house: House) -> int:
    with opened_to_read(f"sqlite:///{house.folder}/provider.db") as connection:
        return scores.count(connection)


# Progress ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["input.csv", "input.csv.gz", "input.parquet"])
def test_a_bar_shows_how_much_was_read_and_goes_to_its_end(
    house: House, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, float | None]] = []

    class Seen(Progress):
        def update(self, task_id: TaskID, **changed: Any) -> None:
            super().update(task_id, **changed)
            seen.append((self.tasks[task_id].completed, self.tasks[task_id].total))

    terminal = Console(file=StringIO(), force_terminal=True, width=100)
    monkeypatch.setattr(load_command, "Progress", Seen)
    monkeypatch.setattr(load_command, "ERR", terminal)
    monkeypatch.setattr("provider.loading.load.CHUNK_ROWS", 500)
    path = house.folder / name
    if name.endswith("parquet"):
        write_many_parquet(path, 5_000)
    else:
        write_many_csv(house.folder / "input.csv", 5_000)
        if name.endswith("gz"):
            path.write_bytes(gzip.compress((house.folder / "input.csv").read_bytes()))
    code, counts = load(house, path)
    assert (code, counts["loaded"]) == (0, 5_000)

    size = path.stat().st_size
    read = [completed for completed, _ in seen]
    assert {total for _, total in seen} == {size}
    assert read == sorted(read)
    assert read[0] > 0
    assert read[-1] == size
    assert len(set(read)) > 5 or name.endswith("gz")  # which is read in larger pieces
    drawn = terminal.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert name in drawn
    assert "kB" in drawn


def test_no_bar_is_drawn_where_nobody_sees_it(house: House) -> None:
    (house.folder / "input.csv").write_text(f"{HEADER}\n{row()}")
    result = house.run("load", house.folder / "input.csv", "--licence", house.licence, "--json")
    assert result.exit_code == 0
    assert result.stderr.strip() == ""
    assert json.loads(result.stdout)["loaded"] == 1


def test_a_line_is_as_long_as_documented() -> None:
    assert csv_file.MAX_LINE_BYTES == 4096
