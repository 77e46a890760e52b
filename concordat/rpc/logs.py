"""Structured logs that never hold a subject's reference, a payload or a key in clear."""

import hashlib
import hmac
import logging
import os
import re
import sys
from collections.abc import Mapping

import structlog
from google.protobuf.message import Message
from structlog.typing import EventDict, WrappedLogger

_SUBJECT_KEYS = frozenset({"subject", "subject_ref"})
_LONG_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){32,}")
_BYTES_SHOWN = re.compile(r"""\bb(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
_PROCESS_KEY = os.urandom(16)


def pseudonym(subject_ref: bytes) -> str:
    """Return a name for a subject that is stable within this process and means nothing outside it."""
    return "subject-" + hmac.digest(_PROCESS_KEY, subject_ref, hashlib.sha256).hex()[:12]


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace subject references by pseudonyms, bytes by their length, and 32-byte hex strings by a mark.

    At every depth, and in what errors and tracebacks quote.
    """
    return {key: _redacted(key, value) for key, value in event.items()}


def _redacted(key: str, value: object) -> object:
    """Return what may be written of a value."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return pseudonym(bytes(value)) if key in _SUBJECT_KEYS else f"<{len(value)} bytes>"
    if isinstance(value, Mapping):
        return {_marked(str(name)): _redacted(str(name), part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(key, part) for part in value]
    if isinstance(value, Message):
        return f"<{value.DESCRIPTOR.name}>"
    return _marked(value if isinstance(value, str) else repr(value))


def _marked(text: str) -> str:
    """Return a text with long hex strings and bytes literals taken out."""
    return _BYTES_SHOWN.sub("<bytes>", _LONG_HEX.sub("<32 bytes>", text))


class _StandardError:
    """Whatever is standard error at the time of writing; it may be replaced after logs were configured."""

    def write(self, text: str) -> int:
        """Write now."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Leave nothing behind."""
        sys.stderr.flush()


def configure_logs(process: str, level: str = "info") -> None:
    """Write one JSON object a line to standard error, each with the process's name."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(
            file=_StandardError()  # type: ignore[arg-type]  # as much of a file as it uses
        ),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
