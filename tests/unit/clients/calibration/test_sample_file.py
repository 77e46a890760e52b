"""A sample that is read holds scores, outcomes and groups, and nothing that tells who it is about."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from clients.calibration.errors import SampleInvalid
from clients.calibration.sample_file import MOST_GROUPS, read_sample, require_enough

SCALES = {"alder-bank": (300, 850), "birch-payments": (-20, 100)}
HEADER = "alder-bank,birch-payments,outcome,group:region\n"


def write(folder: Path, content: str | bytes, name: str = "sample.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_scores_outcomes_and_groups_are_read(tmp_path: Path) -> None:
    content = HEADER + "620,-20,0,north\n,100,1,\n\n850,,0,south\n"
    read = read_sample(write(tmp_path, content), SCALES)
    assert read.sample.providers == ("alder-bank", "birch-payments")
    np.testing.assert_array_equal(read.sample.scores, [[620, -20], [np.nan, 100], [850, np.nan]])
    assert list(read.sample.outcomes) == [False, True, False]
    assert list(read.sample.groups["region"]) == ["north", "", "south"]
    assert read.sha256 == hashlib.sha256(content.encode()).digest()


def test_a_compressed_file_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    content = gzip.compress(b"\xef\xbb\xbfoutcome,alder-bank\r\n1,300\r\n")
    read = read_sample(write(tmp_path, content, "sample.csv.gz"), SCALES)
    assert read.sample.providers == ("alder-bank",)
    assert read.sample.scores[0, 0] == 300
    assert read.sha256 == hashlib.sha256(content).digest()


@pytest.mark.parametrize(
    "column", ["identity_number", "name", "subject_ref", "as_of", "Outcome", "", "cedar-guarantee"]
)
def test_a_column_that_may_tell_who_it_is_is_refused(tmp_path: Path, column: str) -> None:
    path = write(tmp_path, f"alder-bank,outcome,{column}\n620,0,x\n")
    with pytest.raises(SampleInvalid, match="nothing that may tell who a row is about"):
        read_sample(path, SCALES)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "no column 'outcome'"),
        ("alder-bank\n620\n", "no column 'outcome'"),
        ("outcome,group:region\n1,north\n", "no column of any provider"),
        ("alder-bank,alder-bank,outcome\n1,1,1\n", "there twice"),
        ("alder-bank,outcome,group:\n620,1,x\n", "name the attribute"),
        ("alder-bank,outcome,group:<b>\n620,1,x\n", "name the attribute"),
        ("alder-bank,outcome\n620\n", "line 2: 1 cells; the header has 2"),
        ("alder-bank,outcome\n620,1,2\n", "line 2: 3 cells"),
        ("alder-bank,outcome\n620,1\n,0\n", "line 3: no provider has a score"),
        ("alder-bank,outcome\n299,1\n", "line 2, alder-bank: 299 is outside its scale, 300 to 850"),
        ("alder-bank,outcome\n851,1\n", "outside its scale"),
        ("alder-bank,outcome\n620.5,1\n", "no whole number"),
        ("alder-bank,outcome\n6_20,1\n", "no whole number"),
        ("alder-bank,outcome\n 620,1\n", "no whole number"),
        ("alder-bank,outcome\nnan,1\n", "no whole number"),
        ("alder-bank,outcome\n\u0666\u0662\u0660,1\n", "no whole number"),
        ("alder-bank,outcome\n620,2\n", "line 2, outcome: '2'"),
        ("alder-bank,outcome\n620,\n", "line 2, outcome: ''"),
        ("alder-bank,outcome\n620,true\n", "line 2, outcome"),
        ('alder-bank,outcome\n"6\n20",1\n', "line 3, alder-bank"),
        ('alder-bank,outcome\n"620,1\n', "line 2: "),
        (HEADER + f"620,,1,{'x' * 65}\n", "at most 64 characters"),
        (HEADER + "".join(f"620,,1,g{n}\n" for n in range(MOST_GROUPS + 1)), "17 different groups"),
        (
            "alder-bank,outcome," + ",".join(f"group:a{n}" for n in range(9)) + "\n",
            "9 columns of groups",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(SampleInvalid, match=told):
        read_sample(write(tmp_path, content), SCALES)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("sample.csv", b"alder-bank,outcome\n620,\xff\n", "not UTF-8"),
        ("sample.csv.gz", b"alder-bank,outcome\n620,1\n", "damaged, or no gzip"),
        ("sample.csv.gz", gzip.compress(b"alder-bank,outcome\n620,1\n", mtime=0)[:-9], "damaged"),
        ("sample.csv.gz", gzip.compress(b"abc", mtime=0)[:12] + b"zzzzzz", "damaged"),
    ],
)
def test_a_damaged_file_is_told(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    with pytest.raises(SampleInvalid, match=told):
        read_sample(write(tmp_path, content, name), SCALES)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SampleInvalid, match="cannot read"):
        read_sample(tmp_path / "none.csv", SCALES)


def rows(defaults: int, others: int, second: str = "50") -> str:
    return HEADER + f"620,{second},1,north\n" * defaults + f"700,{second},0,north\n" * others


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (rows(49, 500), "49 subjects defaulted; at least 50"),
        (rows(500, 49), "49 subjects did not default"),
        (rows(0, 0), "0 subjects defaulted"),
        (rows(60, 60, second=""), "no row has a score of birch-payments"),
    ],
)
def test_too_little_to_fit_to_is_refused(tmp_path: Path, content: str, told: str) -> None:
    read = read_sample(write(tmp_path, content), SCALES)
    with pytest.raises(SampleInvalid, match=told):
        require_enough(read.sample)


def test_fifty_of_each_are_enough(tmp_path: Path) -> None:
    require_enough(read_sample(write(tmp_path, rows(50, 50)), SCALES).sample)
