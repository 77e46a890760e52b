"""The public read path: what any file server would serve, with the headers that caches need."""

import asyncio
import gzip
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from concordat.settings import SettingsError
from concordat.store.group_commit import GroupCommit
from concordat.trust.checkpoint import open_checkpoint
from concordat.trust.tiles import ENTRIES, Tile
from exchange.log.public import public_app, serving
from exchange.log.tile_store import CHECKPOINT, FileTiles, TileStore, TileStoreError
from tests.exchange_builders import memory_engine
from tests.sequencer_builders import LOG, Hooked, LogSide, settle

FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Client:
    """Sends requests to the application itself."""

    app: Starlette

    def send(
        self, method: str, path: str, accept: str = "identity"
    ) -> tuple[httpx.Response, bytes]:
        """Return the answer, and its body as it went over the wire."""

        async def run() -> tuple[httpx.Response, bytes]:
            transport = httpx.ASGITransport(app=self.app)
            async with (
                httpx.AsyncClient(transport=transport, base_url="http://log") as client,
                client.stream(method, path, headers={"accept-encoding": accept}) as answer,
            ):
                return answer, b"".join([part async for part in answer.aiter_raw()])

        return asyncio.run(run())

    def get(self, path: str) -> tuple[httpx.Response, bytes]:
        return self.send("GET", path)


def client_of(tiles: TileStore) -> Client:
    return Client(public_app(tiles, lambda: {"sequencing": True}))


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileTiles]:
    """Return a log of 550 entries, entered in two batches."""
    store = GroupCommit(memory_engine())
    side = LogSide(store, FileTiles(tmp_path_factory.mktemp("public") / "log"))
    sequencer = side.sequencer()
    for count in (200, 350):
        side.enter(count)
        settle(sequencer)
    assert isinstance(side.tiles, FileTiles)
    yield side.tiles
    store.close()
    store._engine.dispose()


@pytest.fixture(scope="module")
def client(tiles: FileTiles) -> Client:
    return client_of(tiles)


def test_the_checkpoint_is_text_that_is_asked_for_anew_each_time(client: Client) -> None:
    answer, note = client.get("/checkpoint")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert open_checkpoint(note, LOG).size == 550


TILES = [
    Tile(0, 0),
    Tile(0, 1),
    Tile(0, 2, 38),
    Tile(1, 0, 2),
    Tile(ENTRIES, 0),
    Tile(ENTRIES, 2, 38),
]


@pytest.mark.parametrize("tile", TILES, ids=lambda tile: tile.path)
def test_a_tile_is_bytes_that_never_change(client: Client, tiles: FileTiles, tile: Tile) -> None:
    answer, data = client.get(f"/{tile.path}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == FOR_EVER
    assert answer.headers["access-control-allow-origin"] == "*"
    assert data == tiles.read(tile.path)
    head, nothing = client.send("HEAD", f"/{tile.path}")
    assert (head.status_code, nothing) == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/003",  # not yet
        "tile/0/002",
        "tile/2/000.p/1",
        "tile/00/000",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/0/000.p/007",
        "tile/0/0",
        "tile/0/x000/000",
        "tile/64/000",
        "tile/data/000",
        "tile/0/000.new",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/%2e%2e/checkpoint",
        "tile/..%2fcheckpoint",
        "tile/0/%30%30%30%00",
        "tile//etc/passwd",
        "tile/0/\u0660\u0660\u0660",
        "tile/",
    ],
)
def test_what_is_no_tile_or_not_there_yet_is_not_found_and_not_cached(
    client: Client, path: str
) -> None:
    answer, _ = client.get(f"/{path}")
    assert answer.status_code == 404
    if answer.headers.get("cache-control"):
        assert answer.headers["cache-control"] == "no-cache"
    assert "immutable" not in str(answer.headers)


def test_a_partial_tile_that_is_gone_points_to_the_full_one(client: Client) -> None:
    gone, hint = client.get(f"/{Tile(0, 0, 200).path}")  # the full one took its place
    assert (gone.status_code, hint) == (404, b"take the full tile\n")
    assert gone.headers["cache-control"] == "no-cache"
    assert client.get(f"/{Tile(0, 0).path}")[0].status_code == 200
    assert client.get("/tile/0/009")[1] == b"no such tile\n"


@pytest.mark.parametrize("tile", [Tile(ENTRIES, 0), Tile(0, 1)], ids=lambda tile: tile.path)
def test_what_is_large_goes_packed_to_whoever_can_unpack_it(
    client: Client, tiles: FileTiles, tile: Tile
) -> None:
    answer, packed = client.send("GET", f"/{tile.path}", accept="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in answer.headers["vary"].lower()
    assert gzip.decompress(packed) == tiles.read(tile.path)
    plain, data = client.get(f"/{tile.path}")
    assert "content-encoding" not in plain.headers
    assert data == tiles.read(tile.path)


def test_nothing_is_written_and_nothing_else_is_served(client: Client) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert client.send(method, "/checkpoint")[0].status_code == 405
    for path in ("/", "/checkpoint/", "/tile", "/log", "/docs", "/openapi.json"):
        answer, body = client.get(path)
        assert answer.status_code in (404, 307), path
        assert b"concordat" not in body


def test_an_empty_log_has_no_checkpoint_yet(tmp_path: Path) -> None:
    answer, body = client_of(FileTiles(tmp_path / "none")).get("/checkpoint")
    assert (answer.status_code, body) == (404, b"the log is still empty\n")
    assert answer.headers["cache-control"] == "no-cache"


def test_a_store_that_cannot_be_read_is_unavailable_and_says_no_more(tmp_path: Path) -> None:
    def fail(_path: str) -> None:
        raise TileStoreError("/srv/secret: Input/output error")

    client = client_of(Hooked(FileTiles(tmp_path), on_read=fail))
    for path in ("/checkpoint", "/tile/0/000"):
        answer, body = client.get(path)
        assert answer.status_code == 503
        assert b"secret" not in body


def test_health_is_told_and_never_cached(client: Client) -> None:
    answer, body = client.get("/health")
    assert json.loads(body) == {"sequencing": True}
    assert answer.headers["cache-control"] == "no-store"


def test_it_is_served_on_a_port_until_the_block_ends(tiles: FileTiles) -> None:
    async def run() -> tuple[bytes, int]:
        async with serving(public_app(tiles, dict), "127.0.0.1:0") as port:
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(f"http://127.0.0.1:{port}/checkpoint")
            return answer.content, port

    note, port = asyncio.run(run())
    assert note == tiles.read(CHECKPOINT)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), 1)


def test_a_port_that_is_taken_is_said(tiles: FileTiles) -> None:
    async def run(address: str) -> None:
        async with serving(public_app(tiles, dict), address):
            pass

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match="cannot listen"):
            asyncio.run(run(f"127.0.0.1:{port}"))
    with pytest.raises(SettingsError, match="cannot listen"):
        asyncio.run(run("127.0.0.1:99999"))
