"""What ``make interop`` does apart from Go: the log it has checked, and a machine without the archive."""

import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from concordat.trust.checkpoint import open_checkpoint
from concordat.trust.merkle import leaf_hash, verify_consistency, verify_inclusion
from concordat.trust.tiles import bundles_between, decode_bundle
from interop import __main__ as program
from interop.material import Material, make
from interop.toolchain import Go, NoDebianError

SIZE = 300


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return make(tmp_path_factory.mktemp("interop"), SIZE, lambda *_: None)


def proofs(path: Path) -> list[list[bytes]]:
    data, found, at = path.read_bytes(), [], 0
    while at < len(data):
        end = at + 1 + data[at] * 32
        found.append([data[n : n + 32] for n in range(at + 1, end, 32)])
        at = end
    return found


def entries(material: Material) -> list[bytes]:
    found: list[bytes] = []
    for tile in bundles_between(0, SIZE):
        found += decode_bundle(material.tiles.read(tile.path) or b"", tile.width)
    return found


def test_the_log_that_go_is_given_has_a_right_proof_of_every_entry(material: Material) -> None:
    note = (material.folder / "log/checkpoint").read_bytes()
    opened = open_checkpoint(note, material.log, [material.witness], quorum=1)
    assert opened.size == SIZE
    inclusion = proofs(material.folder / "inclusion")
    for index, (entry, proof) in enumerate(zip(entries(material), inclusion, strict=True)):
        verify_inclusion(leaf_hash(entry), index, SIZE, proof, opened.root)


def test_it_has_a_right_proof_from_every_earlier_size(material: Material) -> None:
    root = material.root_at(SIZE)
    consistency = proofs(material.folder / "consistency")
    assert len(consistency) == SIZE
    for old, proof in enumerate(consistency, 1):
        verify_consistency(old, material.root_at(old), SIZE, root, proof)


def test_without_apt_there_is_no_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoDebianError):
        Go.unpacked(tmp_path / "work", Console(quiet=True))


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_that_is_said_and_a_failure_in_ci_only(
    ci: str,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(program, "WORK", tmp_path / "work")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(sys, "argv", ["interop"])
    with pytest.raises(SystemExit) as stopped:
        program.main()
    assert int(stopped.value.code or 0) == status
    assert "there is no apt-get here" in capsys.readouterr().out


def test_a_refusal_by_go_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refused(*_: object) -> None:
        raise subprocess.CalledProcessError(1, [tmp_path / "verify", "check"])

    (tmp_path / "root").mkdir()
    monkeypatch.setattr(program, "WORK", tmp_path)
    monkeypatch.setattr(program, "verify", refused)
    monkeypatch.setattr(sys, "argv", ["interop"])
    with pytest.raises(SystemExit) as stopped:
        program.main()
    assert stopped.value.code == 1
    assert "FAILED, see above: verify ended with 1" in capsys.readouterr().out
