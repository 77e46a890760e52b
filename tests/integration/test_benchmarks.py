"""The benchmarks run: a moment of each, and the figures that they promise."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from benchmarks.listings_fill import HIDDEN, fill, listing_of
from benchmarks.listings_timing import distance
from benchmarks.load import Run, closed_loop
from benchmarks.view import cpu_of
from exchange.listings import reading
from exchange.listings.machine import Listing
from exchange.listings.profile import Profiles
from exchange.listings.showing import shown_entry
from exchange.tables import listing, metadata
from tests.vault_builders import KEYRING, exchange_engine

ROOT = Path(__file__).resolve().parents[2]
LISTINGS_PROMISED = (
    "bytes_per_listing",
    "lookups_per_s",
    "single_lookups_per_s",
    "dict_lookups_per_s",
    "sql_lookups_per_s",
)
GRPC_PROMISED = (
    "load_s",
    "checks_per_s_1",
    "checks_per_s_64",
    "check_cpu_us_64",
    "check_ratio_echo",
    "check_ratio_echo_1",
    "screen_subjects_per_s",
    "screen_logged_per_s",
    "screen_cpu_us",
    "screen_ratio_packed_echo",
    "screen_subjects_per_s_100",
)
PROMISED = {"views_per_s_1", "views_per_s_64", "bare_per_s_64", "ratio_64", "stream_views_per_s"}
SIDES, RUNS = ("views", "bare"), ("1", "64", "stream")
PARTS = {"exchange", "client", "provider_min", "provider_median", "provider_max", "providers"}


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_view_benchmark_measures_both_sides_and_every_process(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    tiny = ("--seconds", "0.2", "--subjects", "3", "--providers", "1", "--json", str(figures))
    done = subprocess.run(
        [sys.executable, "benchmarks/view.py", *tiny],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "in flight" in done.stdout
    found = json.loads(figures.read_text())
    assert PROMISED | {"stream_ratio"} <= set(found)
    for name in PROMISED:
        assert found[name] > 0, name
    told = {f"{side}_{run}_{part}_cpu_us" for side in SIDES for run in RUNS for part in PARTS}
    assert told <= set(found)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_listings_benchmark_measures_the_index_beside_both_peers(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    tiny = (
        "--sizes",
        "1e3",
        "2000",
        "--seconds",
        "0.05",
        "--sql-most",
        "1e3",
        "--no-grpc",
        "--json",
        str(figures),
    )
    done = subprocess.run(
        [sys.executable, "benchmarks/listings.py", *tiny],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "removed, not yet merged" in done.stdout
    found = json.loads(figures.read_text())
    for name in LISTINGS_PROMISED:
        assert found[f"{name}_1e3"] > 0, name
        assert (f"{name}_2000" in found) is (name != "sql_lookups_per_s")
    for why in ("never", "again", "expired", "stale", "removed"):
        assert found[f"timing_{why}_p50_ns"] > 0
        assert 0 <= found[f"timing_{why}_ks"] <= 1


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_listings_benchmark_measures_a_real_exchange_beside_an_echo(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    tiny = ("--only-grpc", "--sizes", "1e3", "2e3", "--db-most", "1e3", "--seconds", "0.3")
    few = ("--subjects", "200", "--samples", "5", "--json", str(figures))
    done = subprocess.run(
        [sys.executable, "benchmarks/listings.py", *tiny, *few],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "suppressed by a dispute" in done.stdout
    assert "2,000 listings are left out over gRPC" in done.stderr
    found = json.loads(figures.read_text())
    for name in GRPC_PROMISED:
        assert found[f"{name}_1e3"] == found[name], name
        assert found[name] > 0 or name == "load_s", name
    assert found["check_ratio_echo"] == pytest.approx(
        found["checks_per_s_64"] / found["echo_per_s_64"], rel=0.01
    )
    for why in ("never", "noticed", "suppressed", "expired", "withdrawn", "repaired", "listed"):
        assert found[f"grpc_timing_{why}_p50_ms"] > 0
        assert 0 <= found[f"grpc_timing_{why}_ks"] <= 1


def _key(listing: Listing) -> reading.Key:
    return listing.subject_ref, listing.listing_id


def test_what_is_put_into_the_database_is_what_the_ledger_reads(tmp_path: Path) -> None:
    at, path = datetime(2026, 3, 1, tzinfo=UTC), tmp_path / "data.sqlite"
    engine = exchange_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    named = [listing_of("alder-bank", bytes([n] * 32), why, at) for n, why in enumerate(HIDDEN, 1)]
    fill(path, KEYRING, "alder-bank", 50, at, named)
    with engine.connect() as connection:
        keys = [tuple(row) for row in connection.execute(select(*listing.primary_key))]
        stored = reading.by_keys(connection, keys)
        assert reading.revision(connection) == 1
    engine.dispose()
    assert len(stored) == 50 + len(named)
    assert [stored[_key(each)].listing for each in named] == named
    profiles = Profiles.load()
    others = [each.listing for key, each in stored.items() if key not in set(map(_key, named))]
    assert all(shown_entry(each, profiles[each.profile], {}, at) for each in others)
    assert not any(shown_entry(each, profiles[each.profile], {}, at) for each in named)


def test_the_distance_of_two_samples_is_that_of_kolmogorov_and_smirnov() -> None:
    one = np.array([1, 2, 2, 3])
    assert distance(one, one[::-1]) == 0
    assert distance(one, one + 10) == 1
    assert distance(one, np.array([2, 2, 3, 3])) == 0.25


def test_cpu_is_told_by_process() -> None:
    cpu = {"exchange": 500.0, "client": 90.0, "a": 30.0, "b": 10.0, "c": 80.0, "d": 20.0}
    assert cpu_of(Run(items=1, per_s=1, p50_ms=1, p99_ms=1, cpu_us=cpu)) == {
        "exchange": 500,
        "client": 90,
        "provider_min": 10,
        "provider_median": 25,
        "provider_max": 80,
        "providers": 140,
    }


def test_what_is_done_side_by_side_is_all_counted() -> None:
    async def one(item: int) -> int:
        await asyncio.sleep(0)
        return item

    run = asyncio.run(closed_loop(one, [1] * 1000, 64, 30, {"this": os.getpid()}))
    assert run.items == 1000
    assert run.per_s > 1000 / 30


def test_a_run_ends_when_its_time_is_up() -> None:
    async def one(_item: int) -> int:
        await asyncio.sleep(0.01)
        return 1

    run = asyncio.run(closed_loop(one, iter(int, 1), 2, 0.1, {}))
    assert 2 <= run.items <= 22
