"""What a real log line holds, and what it never holds."""

import io
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from concordat import v1
from concordat.rpc.logs import configure_logs, pseudonym

REF = bytes(range(100, 132))
OTHER = bytes(range(32))


class Log:
    """A process's log, written to memory."""

    def __init__(self, buffer: io.StringIO) -> None:
        self._buffer = buffer
        self.logger = structlog.get_logger("test")

    @property
    def text(self) -> str:
        return self._buffer.getvalue()

    def said(self, **fields: Any) -> dict[str, Any]:
        """Log fields and return the line as it was written."""
        self.logger.info("happened", **fields)
        line: dict[str, Any] = json.loads(self.text.splitlines()[-1])
        return line


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    before, context = structlog.get_config(), structlog.contextvars.get_contextvars()
    buffer = io.StringIO()
    monkeypatch.setattr("concordat.rpc.logs.sys", SimpleNamespace(stderr=buffer))
    configure_logs("node")
    yield Log(buffer)
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**context)


def clear_forms(value: bytes) -> list[str]:
    """How bytes might be read off a log."""
    escaped = repr(value)[2:-1]
    return [value.hex(), value.hex().upper(), escaped, json.dumps(escaped)[1:-1]]


def holds(text: str, value: bytes) -> bool:
    return any(form in text for form in clear_forms(value))


def test_a_line_is_json_with_process_time_and_level(log: Log) -> None:
    line = log.said(method="/x")
    assert (line["event"], line["process"], line["level"]) == ("happened", "node", "info")
    assert line["timestamp"].endswith("Z")
    assert line["method"] == "/x"


def test_a_subject_is_a_pseudonym_that_stays_the_same_within_a_process(log: Log) -> None:
    first, again, other = log.said(subject_ref=REF), log.said(subject=REF), log.said(subject=OTHER)
    assert first["subject_ref"] == again["subject"] == pseudonym(REF)
    assert other["subject"] != first["subject_ref"]
    assert not holds(log.text, REF)


NESTED: dict[str, Any] = {
    "bytes": REF,
    "a memoryview": memoryview(REF),
    "a bytearray": bytearray(REF),
    "hex": REF.hex(),
    "hex in capitals": REF.hex().upper(),
    "hex in a sentence": f"consent of {REF.hex()}: revoked",
    "hex as PostgreSQL quotes it": f"Key (subject_ref)=(\\x{REF.hex()}) already exists.",
    "hex joined to more hex": (REF + OTHER).hex(),
    "bytes in a list": [REF],
    "hex in a list": [[REF.hex()]],
    "bytes in a mapping": {"subject_ref": REF},
    "hex in a mapping": {"a": ({"b": REF.hex()},)},
    "bytes as a key": {REF.hex(): 1},
    "bytes shown in a sentence": f"refused {REF!r}",
    "a statement": v1.SubjectBinding(subject_ref=REF),
    "an error": ValueError(f"no {REF.hex()}"),
    "an error with bytes": KeyError(REF),
    "a set": {REF},
}


@pytest.mark.parametrize("given", NESTED.values(), ids=NESTED.keys())
def test_a_subjects_reference_is_never_in_clear_however_it_is_logged(log: Log, given: Any) -> None:
    log.said(detail=given)
    log.said(subject_ref=given)
    assert not holds(log.text, REF)
    assert "\\x7f\\x80" not in log.text.replace("\\\\", "\\")
    assert "\\177\\200" not in log.text.replace("\\\\", "\\")


def test_a_stack_trace_holds_no_reference(log: Log) -> None:
    for text in (REF.hex(), repr(REF), f"(\\x{REF.hex()})"):
        log.logger.error("failed", exc_info=ValueError(text))
    assert "ValueError" in log.text
    assert not holds(log.text, REF)


def test_the_name_of_an_event_holds_no_reference(log: Log) -> None:
    event = f"refused {REF.hex()}"
    log.logger.info(event)
    assert not holds(log.text, REF)


def test_short_ids_stay_readable(log: Log) -> None:
    request_id = bytes(range(16)).hex()
    line = log.said(request_id=request_id, count=3, ratio=0.5, ok=True, nothing=None, names=["a"])
    assert line["request_id"] == request_id
    assert (line["count"], line["ratio"], line["ok"]) == (3, 0.5, True)
    assert (line["nothing"], line["names"]) == (None, ["a"])


def test_less_than_the_level_is_not_written(log: Log) -> None:
    log.logger.debug("whispered")
    assert "whispered" not in log.text
