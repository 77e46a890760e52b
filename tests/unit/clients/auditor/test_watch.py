"""A log, watched: growth passes, and two checkpoints that contradict each other never do."""

import hashlib
from pathlib import Path

import pytest

from clients.auditor.audit import audit
from clients.auditor.errors import (
    CheckpointInvalid,
    Contradiction,
    ForkDetected,
    GrowthUnproven,
    KeptUnusable,
    LogUnreadable,
    ResourceMissing,
    RollbackDetected,
)
from clients.auditor.policy import LogTrust
from clients.auditor.source import open_source
from clients.auditor.watch import Peer, Seen, Step, Watcher
from concordat.trust.merkle import verify_consistency
from concordat.trust.tiles import Tile
from concordat.trust.witness_request import AddCheckpoint
from tests.builders import signer
from tests.log_builders import Answer, DirLog, LogWitness, log_entries, serve


def watcher(
    log: DirLog, folder: Path, *peers: Path | str, quorum: LogTrust | None = None
) -> Watcher:
    trust = quorum or LogTrust(log.key)
    named = [Peer(str(peer)) for peer in peers]
    return Watcher(open_source(str(log.folder)), trust, folder, named)


def look(log: DirLog, folder: Path, *peers: Path | str) -> Seen:
    return watcher(log, folder, *peers).look()


def branch(folder: Path, honest: int, size: int) -> DirLog:
    """Return a log that signs other entries from ``honest`` on."""
    log = DirLog(folder).append(log_entries(0, honest))
    return log.append(log_entries(honest, size, branch="other"))


# Following --------------------------------------------------------------------------------------


def test_the_first_checkpoint_is_kept_and_the_same_one_changes_nothing(
    log: DirLog, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    assert look(log, state).step is Step.FIRST
    assert (state / "checkpoint").read_bytes() == log.note
    assert look(log, state).step is Step.SAME


@pytest.mark.parametrize(("before", "after"), [(0, 1), (1, 2), (255, 257), (256, 512), (512, 1100)])
def test_a_log_that_grows_is_followed(tmp_path: Path, before: int, after: int) -> None:
    log, state = DirLog(tmp_path / "log").append(log_entries(0, before)), tmp_path / "state"
    look(log, state)
    log.append(log_entries(before, after))
    assert look(log, state).step is Step.GROWN
    assert (state / "checkpoint").read_bytes() == log.note


def test_what_was_kept_survives_a_checkpoint_that_is_no_good(log: DirLog, tmp_path: Path) -> None:
    state = tmp_path / "state"
    look(log, state)
    kept = log.note
    log.signer = signer("somebody else")
    log.append(log_entries(600, 700))
    with pytest.raises(CheckpointInvalid):
        Watcher(open_source(str(log.folder)), LogTrust(DirLog(tmp_path / "x").key), state).look()
    assert (state / "checkpoint").read_bytes() == kept


def test_a_quorum_that_is_not_met_is_not_followed(tmp_path: Path) -> None:
    log = DirLog(tmp_path / "log", witnesses=[LogWitness("ash")]).append(log_entries(0, 3))
    keys = [LogWitness("ash").key, LogWitness("elm").key]
    with pytest.raises(CheckpointInvalid, match="1 of at least 2"):
        watcher(log, tmp_path / "state", quorum=LogTrust(log.key, keys, 2)).look()
    seen = watcher(log, tmp_path / "state", quorum=LogTrust(log.key, keys, 1)).look()
    assert seen.step is Step.FIRST


# Contradictions ---------------------------------------------------------------------------------


def contradiction(
    log: DirLog, seen: DirLog, folder: Path, kind: type[Contradiction]
) -> Contradiction:
    look(log, folder)
    with pytest.raises(kind) as caught:
        look(seen, folder)
    error = caught.value
    assert type(error) is kind
    assert (error.older, error.newer) == (log.note, seen.note)
    assert error.evidence["kept.checkpoint"] == log.note
    assert error.evidence["seen.checkpoint"] == seen.note
    assert (folder / "checkpoint").read_bytes() == log.note
    return error


@pytest.mark.parametrize("honest", [0, 599])
def test_a_fork_of_the_same_size_is_detected(log: DirLog, tmp_path: Path, honest: int) -> None:
    contradiction(log, branch(tmp_path / "fork", honest, 600), tmp_path / "state", ForkDetected)


@pytest.mark.parametrize("kept", [1, 256, 300, 512, 600])
@pytest.mark.parametrize("grown", [601, 1100])
def test_a_fork_of_a_larger_size_is_proven(tmp_path: Path, kept: int, grown: int) -> None:
    log = DirLog(tmp_path / "log").append(log_entries(0, kept))
    fork = branch(tmp_path / "fork", kept - 1, grown)
    error = contradiction(log, fork, tmp_path / "state", ForkDetected)
    # Anyone can check: the larger signed tree begins with another root than the one signed before.
    shown = AddCheckpoint.parse(error.evidence["consistency.proof"])
    assert (shown.old_size, shown.note) == (kept, fork.note)
    assert fork.root(kept) != log.root(kept)
    verify_consistency(kept, fork.root(kept), grown, fork.root(), shown.proof)


def test_a_rollback_is_detected(log: DirLog, tmp_path: Path) -> None:
    older = DirLog(tmp_path / "older").append(log_entries(0, 599))
    contradiction(log, older, tmp_path / "state", RollbackDetected)


@pytest.mark.parametrize("tile", [Tile(0, 2, 200), Tile(1, 0, 2)])
def test_damaged_tiles_do_not_pass_for_a_fork(log: DirLog, tmp_path: Path, tile: Tile) -> None:
    grown = DirLog(tmp_path / "grown").append(log_entries(0, 712))
    path = grown.path(tile)
    path.write_bytes(bytes(32) + path.read_bytes()[32:])
    contradiction(log, grown, tmp_path / "state", GrowthUnproven)


def test_tiles_that_are_not_there_are_no_contradiction(log: DirLog, tmp_path: Path) -> None:
    look(log, tmp_path / "state")
    log.append(log_entries(600, 700))
    log.path(Tile(0, 2, 188)).unlink()
    with pytest.raises(ResourceMissing):
        look(log, tmp_path / "state")


def test_a_log_that_does_not_answer_is_no_contradiction(log: DirLog, tmp_path: Path) -> None:
    look(log, tmp_path / "state")
    log.path("checkpoint").unlink()
    with pytest.raises(LogUnreadable):
        look(log, tmp_path / "state")
    log.publish()
    assert look(log, tmp_path / "state").step is Step.SAME


# Peers ------------------------------------------------------------------------------------------


def test_a_split_view_shown_to_two_watchers_is_caught_when_they_compare(
    log: DirLog, tmp_path: Path
) -> None:
    fork = branch(tmp_path / "fork", 300, 600)
    one, other = tmp_path / "one", tmp_path / "other"
    look(log, one)
    look(fork, other)
    for mine, folder, peer in ((log, one, other), (fork, other, one)):
        assert look(mine, folder).step is Step.SAME  # alone, neither can tell
        with pytest.raises(ForkDetected) as caught:
            look(mine, folder, peer)
        assert {caught.value.older, caught.value.newer} == {log.note, fork.note}
        assert caught.value.where == f"peer {peer}"


def test_a_split_view_of_different_sizes_is_proven_by_the_watcher_who_is_ahead(
    log: DirLog, tmp_path: Path
) -> None:
    fork = branch(tmp_path / "fork", 300, 700)
    one, other = tmp_path / "one", tmp_path / "other"
    look(log, one)
    look(fork, other)
    with pytest.raises(ForkDetected):
        look(fork, other, one / "checkpoint")
    # The one who is behind cannot see the other's tiles, and says that.
    (problem,) = look(log, one, other / "checkpoint").problems
    assert isinstance(problem, ResourceMissing)
    assert "700 entries, which the log does not serve to us" in str(problem)
    assert problem.evidence["seen.checkpoint"] == fork.note


def test_peers_who_are_behind_or_ahead_agree(log: DirLog, tmp_path: Path) -> None:
    behind, ahead = tmp_path / "behind", tmp_path / "ahead"
    behind.write_bytes(log.note)
    log.append(log_entries(600, 700))
    ahead.write_bytes(log.sign())
    log.publish(log.sign(650))
    (log.folder / "tile/0/002.p/138").write_bytes(
        log.path(Tile(0, 2, 188)).read_bytes()[: 138 * 32]
    )
    seen = look(log, tmp_path / "state", behind, ahead)
    assert seen.agreeing == [str(behind), str(ahead)]
    assert seen.problems == []


def test_a_peer_counts_whoever_cosigned_what_it_holds(tmp_path: Path) -> None:
    log = DirLog(tmp_path / "log", witnesses=[LogWitness("ash")]).append(log_entries(0, 3))
    fork = branch(tmp_path / "fork", 0, 3)
    trust = LogTrust(log.key, [LogWitness("ash").key], 1)
    with pytest.raises(ForkDetected):
        watcher(log, tmp_path / "state", fork.path("checkpoint"), quorum=trust).look()


def test_a_witness_is_asked_for_the_log_by_the_hash_of_its_origin(
    log: DirLog, tmp_path: Path
) -> None:
    asked: list[str] = []

    def witness(path: str) -> Answer:
        asked.append(path)
        return 200, {}, log.note

    with serve(witness) as prefix:
        seen = look(log, tmp_path / "state", prefix, f"{prefix}kept")
    assert seen.agreeing == [prefix, f"{prefix}kept"]
    assert asked == [f"checkpoint/{hashlib.sha256(log.origin.encode()).hexdigest()}", "kept"]


def test_a_peer_that_is_gone_or_talks_nonsense_is_a_problem_and_no_alarm(
    log: DirLog, tmp_path: Path
) -> None:
    nonsense = tmp_path / "nonsense"
    nonsense.write_bytes(b"nonsense")
    other = DirLog(tmp_path / "other", origin="other.concordat/log").path("checkpoint")
    with serve(lambda _path: (404, {}, b"")) as prefix:
        peers = (tmp_path / "none", nonsense, other, prefix)
        seen = look(log, tmp_path / "state", *peers, log.path("checkpoint"))
    kinds = [type(problem) for problem in seen.problems]
    assert kinds == [LogUnreadable, CheckpointInvalid, CheckpointInvalid, LogUnreadable]
    assert [problem.where for problem in seen.problems] == [f"peer {peer}" for peer in peers]
    assert seen.agreeing == [str(log.path("checkpoint"))]


# The folder -------------------------------------------------------------------------------------


def test_two_processes_do_not_watch_with_one_folder(log: DirLog, tmp_path: Path) -> None:
    first, second = watcher(log, tmp_path / "state"), watcher(log, tmp_path / "state")
    with first.locked(), pytest.raises(KeptUnusable, match="another process"), second.locked():
        pass
    with second.locked():
        second.look()


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_a_kept_checkpoint_that_is_no_good_is_never_replaced(
    log: DirLog, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "checkpoint").write_bytes(content)
    with pytest.raises(KeptUnusable, match="checkpoint"):
        look(log, tmp_path)
    assert (tmp_path / "checkpoint").read_bytes() == content


def test_a_log_that_was_audited_is_one_that_can_be_watched(log: DirLog, tmp_path: Path) -> None:
    report = audit(open_source(str(log.folder)), LogTrust(log.key))
    assert look(log, tmp_path / "state").checkpoint == report.checkpoint
