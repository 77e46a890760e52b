"""Reading a log from servers and disks that fail, lie or send too much."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from clients.auditor import http_files
from clients.auditor.audit import audit
from clients.auditor.errors import (
    BundleWrong,
    CheckpointInvalid,
    LogUnreadable,
    ResourceMissing,
    ResourceOversize,
    TileWrong,
)
from clients.auditor.http_files import ATTEMPTS, HttpFiles
from clients.auditor.policy import LogTrust
from clients.auditor.source import DirectoryFiles, LogSource, open_source
from concordat.trust.tiles import ENTRIES, Tile, encode_bundle
from tests.log_builders import Answer, DirLog, log_entries, serve


@pytest.fixture(autouse=True)
def _quick_to_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_files, "FIRST_DELAY", 0.001)


def always(status: int, body: bytes = b"", **headers: str) -> Callable[[str], Answer]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _path: (status, named, body)


def test_a_log_reads_the_same_over_http_and_from_its_directory(
    log: DirLog, trust: LogTrust
) -> None:
    with serve(log.folder) as prefix:
        for name in (prefix, prefix.rstrip("/"), str(log.folder)):
            with open_source(name) as source:
                assert audit(source, trust).checkpoint.note == log.note


def test_a_compressed_bundle_is_read(log: DirLog, trust: LogTrust) -> None:
    def compressed(path: str) -> Answer:
        content = (log.folder / path).read_bytes()
        return 200, {"Content-Encoding": "gzip"}, gzip.compress(content)

    with serve(compressed) as prefix, open_source(prefix) as source:
        assert audit(source, trust).checkpoint.size == 600


def test_a_partial_tile_gives_way_to_the_full_one_over_http(log: DirLog) -> None:
    log.append(log_entries(600, 800))
    log.drop_partial(0, 2)
    log.drop_partial(ENTRIES, 2)
    with serve(log.folder) as prefix, open_source(prefix) as source:
        hashes = source.tile(Tile(0, 2, 88))
        bundle = source.tile(Tile(ENTRIES, 2, 88))
    assert hashes == log.path(Tile(0, 2)).read_bytes()[: 88 * 32]
    assert bundle == encode_bundle(log.entries[512:600])


def test_a_full_bundle_that_stands_in_must_be_whole(log: DirLog) -> None:
    log.append(log_entries(600, 800))
    log.drop_partial(ENTRIES, 2)
    path = log.path(Tile(ENTRIES, 2))
    path.write_bytes(path.read_bytes()[:-1])
    with open_source(str(log.folder)) as source, pytest.raises(BundleWrong, match="entries/002"):
        source.tile(Tile(ENTRIES, 2, 88))


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_server_in_trouble_is_asked_again_and_then_is_unreadable(status: int) -> None:
    asked: list[str] = []

    def answer(path: str) -> Answer:
        asked.append(path)
        return status, {}, b"sorry"

    with (
        serve(answer) as prefix,
        open_source(prefix) as source,
        pytest.raises(LogUnreadable, match=f"checkpoint: HTTP {status}, {ATTEMPTS} times"),
    ):
        source.checkpoint()
    assert len(asked) == ATTEMPTS


def test_a_server_that_recovers_is_believed(log: DirLog, trust: LogTrust) -> None:
    asked: set[str] = set()

    def flaky(path: str) -> Answer:
        if path not in asked:
            asked.add(path)
            return 503, {}, b""
        return 200, {}, (log.folder / path).read_bytes()

    with serve(flaky) as prefix, open_source(prefix) as source:
        assert audit(source, trust).checkpoint.size == 600


@pytest.mark.parametrize("status", [301, 400, 401, 403])
def test_another_refusal_is_not_asked_again(status: int) -> None:
    with (
        serve(always(status, Location="/elsewhere")) as prefix,
        open_source(prefix) as source,
        pytest.raises(LogUnreadable, match=f"HTTP {status}$"),
    ):
        source.checkpoint()


def test_where_nothing_is_there_is_no_log(tmp_path: Path) -> None:
    with serve(always(404)) as prefix, open_source(prefix) as source:
        with pytest.raises(LogUnreadable, match="there is no log at http"):
            source.checkpoint()
        with pytest.raises(ResourceMissing, match="tile/0/000"):
            source.tile(Tile(0, 0))
    with open_source(str(tmp_path / "none")) as source, pytest.raises(LogUnreadable):
        source.checkpoint()


def test_a_server_that_does_not_answer_is_unreadable() -> None:
    with serve(always(404)) as prefix:
        pass
    with open_source(prefix) as source, pytest.raises(LogUnreadable, match="ConnectError"):
        source.checkpoint()


@pytest.mark.parametrize("url", ["http://", "http://[", "https://exa mple/"])
def test_what_is_no_url_is_unreadable(url: str) -> None:
    with open_source(url) as source, pytest.raises(LogUnreadable):
        source.checkpoint()


def test_garbage_in_place_of_a_log_is_no_checkpoint(trust: LogTrust) -> None:
    with (
        serve(always(200, b"<html>Sign in</html>")) as prefix,
        open_source(prefix) as source,
        pytest.raises(CheckpointInvalid),
    ):
        audit(source, trust)


def test_an_endless_answer_is_cut_off() -> None:
    with serve(always(200, b"x" * 10_000_000)) as prefix, open_source(prefix) as source:
        with pytest.raises(ResourceOversize, match="checkpoint: longer than 262144 bytes"):
            source.checkpoint()
        with pytest.raises(ResourceOversize, match="tile/0/000: longer than 8192 bytes"):
            source.tile(Tile(0, 0))


def test_a_compressed_answer_that_swells_is_cut_off() -> None:
    bomb = gzip.compress(bytes(100_000_000))
    with (
        serve(always(200, bomb, Content_Encoding="gzip")) as prefix,
        open_source(prefix) as source,
        pytest.raises(ResourceOversize),
    ):
        source.tile(Tile(0, 0))


def test_an_encoding_that_was_not_asked_for_is_refused() -> None:
    with (
        serve(always(200, b"x", Content_Encoding="br")) as prefix,
        open_source(prefix) as source,
        pytest.raises(LogUnreadable, match="'br'"),
    ):
        source.checkpoint()


def test_what_is_not_the_gzip_it_says_it_is_is_unreadable() -> None:
    answer = always(200, b"not gzip", Content_Encoding="gzip")
    with (
        serve(answer) as prefix,
        open_source(prefix) as source,
        pytest.raises(LogUnreadable, match="not the gzip"),
    ):
        source.checkpoint()


def test_an_answer_that_ends_early_is_unreadable() -> None:
    with (
        serve(always(200, b"x", Content_Length="100", Connection="close")) as prefix,
        open_source(prefix) as source,
        pytest.raises(LogUnreadable),
    ):
        source.checkpoint()


def test_gzip_that_ends_early_is_unreadable() -> None:
    answer = always(200, gzip.compress(bytes(8192))[:-9], Content_Encoding="gzip")
    with (
        serve(answer) as prefix,
        open_source(prefix) as source,
        pytest.raises(LogUnreadable, match="ends early"),
    ):
        source.tile(Tile(0, 0))


def test_an_answer_that_takes_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_files, "SECONDS", -1.0)
    with (
        serve(always(200, b"x")) as prefix,
        open_source(prefix) as source,
        pytest.raises(LogUnreadable, match="not all there"),
    ):
        source.checkpoint()


def test_each_wait_is_about_twice_as_long_as_the_one_before() -> None:
    waits: list[float] = []
    with serve(always(500)) as prefix:
        files = HttpFiles(prefix, waits.append)
        with pytest.raises(LogUnreadable):
            files.read("checkpoint", 10)
        files.close()
    assert len(waits) == ATTEMPTS - 1
    for number, wait in enumerate(waits):
        assert 0.5 <= wait / (0.001 * 2**number) <= 1.5


def test_a_folder_in_place_of_a_file_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    with open_source(str(tmp_path)) as source, pytest.raises(LogUnreadable, match="checkpoint"):
        source.checkpoint()


def test_a_tile_of_the_wrong_length_is_evidence(tmp_path: Path) -> None:
    (tmp_path / "tile/0").mkdir(parents=True)
    (tmp_path / "tile/0/000").write_bytes(b"x")
    source = LogSource("here", DirectoryFiles(tmp_path))
    with pytest.raises(TileWrong) as caught:
        source.tile(Tile(0, 0))
    assert caught.value.evidence == {"tile/0/000": b"x"}
