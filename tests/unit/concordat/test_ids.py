"""Identifiers are UUIDv7: unique, and in the order in which they were made."""

import time
import uuid

import pytest

from concordat.ids import UUID_BYTES, new_id, new_ids


def test_an_id_has_the_layout_of_rfc_9562() -> None:
    for _ in range(200):
        raw = new_id()
        assert len(raw) == UUID_BYTES
        parsed = uuid.UUID(bytes=raw)
        assert parsed.version == 7
        assert parsed.variant == uuid.RFC_4122


def test_an_id_starts_with_the_milliseconds_of_its_making() -> None:
    before = time.time_ns() // 1_000_000
    made = int.from_bytes(new_id()[:6])
    assert before <= made <= time.time_ns() // 1_000_000


def test_ids_of_later_milliseconds_sort_later(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(1_700_000_000_000, 1_700_000_000_100))
    monkeypatch.setattr(time, "time_ns", lambda: next(moments) * 1_000_000)
    made = [new_id() for _ in range(100)]
    assert made == sorted(made)


def test_ids_that_are_made_together_are_like_those_made_one_by_one() -> None:
    made = new_ids(1_000)
    assert len(set(made)) == 1_000
    assert all(uuid.UUID(bytes=raw).version == 7 for raw in made)
    assert all(uuid.UUID(bytes=raw).variant == uuid.RFC_4122 for raw in made)
    assert new_ids(0) == []


def test_ids_do_not_repeat() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000
