"""Evidence stays: to the byte, once, and within bounds."""

import pickle
from pathlib import Path

import pytest

from clients.auditor import evidence
from clients.auditor.errors import BundleWrong, ForkDetected
from clients.auditor.evidence import keep_evidence


def fork(seen: bytes = b"seen") -> ForkDetected:
    return ForkDetected("two trees", older=b"kept", newer=seen)


def test_both_notes_are_written_beside_what_was_found(tmp_path: Path) -> None:
    made = keep_evidence(tmp_path / "state", fork())
    assert made == tmp_path / "state/evidence-1"
    assert (made / "kept.checkpoint").read_bytes() == b"kept"
    assert (made / "seen.checkpoint").read_bytes() == b"seen"
    assert (made / "finding.txt").read_text() == "FORK_DETECTED\ncheckpoint: two trees\n"


def test_a_tile_is_written_under_its_own_path(tmp_path: Path) -> None:
    error = BundleWrong("bad", where="tile/entries/000", evidence={"tile/entries/000": b"bytes"})
    made = keep_evidence(tmp_path, error)
    assert made is not None
    assert (made / "tile-entries-000").read_bytes() == b"bytes"


def test_the_same_evidence_is_written_once_and_other_beside_it(tmp_path: Path) -> None:
    first = keep_evidence(tmp_path, fork())
    assert keep_evidence(tmp_path, fork(b"other")) == tmp_path / "evidence-2"
    assert keep_evidence(tmp_path, fork()) == first
    assert len(list(tmp_path.iterdir())) == 2


def test_evidence_does_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MAX_FOLDERS", 2)
    made = [keep_evidence(tmp_path, fork(seen)) for seen in (b"1", b"2", b"3", b"1")]
    assert made == [tmp_path / "evidence-1", tmp_path / "evidence-2", None, tmp_path / "evidence-1"]


def test_where_there_is_none_nothing_is_written(tmp_path: Path) -> None:
    assert keep_evidence(tmp_path, BundleWrong("bad")) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [fork(), BundleWrong("bad", where="x", evidence={"x": b"y"})])
def test_an_error_crosses_processes_whole(error: BundleWrong | ForkDetected) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.__dict__ == error.__dict__
