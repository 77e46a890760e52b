"""Proofs that an entry is in a log: made from tiles, checked with nothing but keys."""

import pytest

from clients.auditor.errors import BundleWrong, EntryNotFound, LogWrong, ProofWrong
from clients.auditor.policy import LogTrust
from clients.auditor.prove import check_proof, find_record, prove
from clients.auditor.source import open_source
from concordat import v1
from concordat.trust.tiles import ENTRIES, Tile, encode_bundle
from tests.log_builders import DirLog, LogWitness, log_entry


@pytest.mark.parametrize("index", [0, 1, 255, 256, 511, 512, 599])
def test_a_proof_holds_offline(log: DirLog, trust: LogTrust, index: int) -> None:
    proven = prove(open_source(str(log.folder)), trust, index)
    assert proven.entry == log.entries[index]
    found, checkpoint = check_proof(proven.proof.encode(), proven.entry, trust)
    assert (found, checkpoint.note) == (index, log.note)


@pytest.mark.parametrize("index", [0, 65_535, 65_536, 65_800])
def test_a_proof_of_a_large_log_holds(large: DirLog, index: int) -> None:
    trust = LogTrust(large.key)
    proven = prove(open_source(str(large.folder)), trust, index)
    assert check_proof(proven.proof.encode(), large.entries[index], trust)[0] == index


@pytest.mark.parametrize("index", [600, 10**18])
def test_an_entry_outside_the_log_has_no_proof(log: DirLog, trust: LogTrust, index: int) -> None:
    with pytest.raises(EntryNotFound, match="600 entries"):
        prove(open_source(str(log.folder)), trust, index)


def test_a_proof_of_another_entry_does_not_hold(log: DirLog, trust: LogTrust) -> None:
    proven = prove(open_source(str(log.folder)), trust, 5)
    with pytest.raises(ProofWrong, match="does not lead to the root"):
        check_proof(proven.proof.encode(), log.entries[6], trust)


def test_a_proof_by_another_log_does_not_hold(log: DirLog, trust: LogTrust) -> None:
    proven = prove(open_source(str(log.folder)), trust, 5)
    other = LogTrust(DirLog(log.folder / "other", origin="other.concordat/log").key)
    with pytest.raises(ProofWrong, match="another log"):
        check_proof(proven.proof.encode(), proven.entry, other)


def test_a_proof_without_the_quorum_does_not_hold(log: DirLog, trust: LogTrust) -> None:
    proven = prove(open_source(str(log.folder)), trust, 5)
    strict = LogTrust(log.key, [LogWitness("ash").key], 1)
    with pytest.raises(ProofWrong, match="0 of at least 1 witnesses"):
        check_proof(proven.proof.encode(), proven.entry, strict)


@pytest.mark.parametrize("raw", [b"", b"c2sp.org/tlog-proof@v1\n", b"\xff" * 100])
def test_what_is_no_proof_does_not_hold(trust: LogTrust, raw: bytes) -> None:
    with pytest.raises(ProofWrong):
        check_proof(raw, b"entry", trust)


def test_an_entry_that_the_log_bent_is_not_proven_and_kept_as_evidence(
    log: DirLog, trust: LogTrust
) -> None:
    entries = [log_entry(512, branch="other"), *log.entries[513:600]]
    log.write(Tile(ENTRIES, 2, 88), encode_bundle(entries))
    with pytest.raises(LogWrong) as caught:
        prove(open_source(str(log.folder)), trust, 512)
    assert caught.value.where == "entry 512"
    assert caught.value.evidence["entry.bin"] == entries[0]
    assert caught.value.evidence["seen.checkpoint"] == log.note


def test_a_bundle_that_is_none_is_named(log: DirLog, trust: LogTrust) -> None:
    log.write(Tile(ENTRIES, 0), b"\x00")
    with pytest.raises(BundleWrong, match="tile/entries/000"):
        prove(open_source(str(log.folder)), trust, 5)


# Finding ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 255, 256, 599])
def test_an_entry_is_found_by_its_record_id(log: DirLog, trust: LogTrust, index: int) -> None:
    source = open_source(str(log.folder))
    record_id = v1.LogEntry.FromString(log.entries[index]).record_id
    checkpoint = trust.open(source.checkpoint())
    assert find_record(source, checkpoint, record_id) == index


def test_the_search_goes_from_the_newest_back_and_tells_how_far_it_is(
    log: DirLog, trust: LogTrust
) -> None:
    source, told = open_source(str(log.folder)), []
    checkpoint = trust.open(source.checkpoint())
    with pytest.raises(EntryNotFound, match="none of 600 entries"):
        find_record(source, checkpoint, bytes(16), lambda *progress: told.append(progress))
    assert told == [(88, 600), (344, 600), (600, 600)]


def test_bytes_that_only_look_like_the_id_are_not_it(log: DirLog, trust: LogTrust) -> None:
    entry = v1.LogEntry.FromString(log_entry(600))
    log.append([entry.SerializeToString()])
    source = open_source(str(log.folder))
    checkpoint = trust.open(source.checkpoint())
    with pytest.raises(EntryNotFound):
        find_record(source, checkpoint, entry.commitment[:16])


def test_nothing_is_found_in_an_empty_log(trust: LogTrust, log: DirLog) -> None:
    empty = DirLog(log.folder / "empty")
    source = open_source(str(empty.folder))
    with pytest.raises(EntryNotFound):
        find_record(source, trust.open(source.checkpoint()), bytes(16))
