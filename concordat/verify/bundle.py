"""Views in a file: all that is needed to check one offline, as bytes."""

import hashlib
import re
from collections.abc import Mapping

from google.protobuf.message import DecodeError

from concordat import v1
from concordat.trust.envelope import refuse_unknown_fields, validate
from concordat.trust.errors import StatementMalformedError

MAGIC = b"concordat-view-bundle-v1\n"
SUFFIX = ".cbundle"
MAX_BYTES = 8 * 1024 * 1024

_HEADER = re.compile(re.escape(MAGIC) + rb"([0-9a-f]{64})\n")
_HEADER_BYTES = len(MAGIC) + 65


class BundleMalformedError(Exception):
    """Bytes are no view bundle, or not the ones that were written; the text says what is wrong."""


class LicenceMissingError(Exception):
    """A view names licences that are not at hand: ``digests``. Fetch the members anew."""

    def __init__(self, digests: list[bytes]) -> None:
        """Miss the licences of ``digests`` (32 bytes each)."""
        short = ", ".join(digest.hex()[:12] for digest in digests)
        super().__init__(f"the view names licences that are not known here: {short}")
        self.digests = digests


class CalibrationMissingError(Exception):
    """A view names a calibration that is not at hand. Fetch the members anew."""

    def __init__(self, version: int) -> None:
        """Miss the calibration of ``version``."""
        super().__init__(f"the view names a calibration that is not known here, version {version}")
        self.version = version


def dump_bundle(bundle: v1.ViewBundle) -> bytes:
    """Return the file form: magic line, SHA-256 of the rest in hex, serialised message."""
    body = bundle.SerializeToString(deterministic=True)
    return MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def parse_bundle(raw: bytes) -> v1.ViewBundle:
    """Read the file form, strictly. What comes back is whole, and *not* verified.

    Raises ``BundleMalformedError`` for any other first lines, a digest that does not match (the
    file is damaged), a body that is no ``ViewBundle`` within its bounds, unknown fields, or more
    than 8 MiB.
    """
    if len(raw) > MAX_BYTES:
        raise BundleMalformedError(f"a view bundle has at most {MAX_BYTES} bytes")
    header = _HEADER.match(raw)
    if header is None:
        raise BundleMalformedError(
            f"the file does not begin with the line {MAGIC.decode().strip()!r} and a SHA-256 in hex"
        )
    body = raw[_HEADER_BYTES:]
    if hashlib.sha256(body).hexdigest().encode() != header[1]:
        raise BundleMalformedError("the file is damaged: its SHA-256 is not the one it states")
    bundle = v1.ViewBundle()
    try:
        bundle.ParseFromString(body)
        require_well_formed(bundle)
    except (DecodeError, StatementMalformedError) as error:
        raise BundleMalformedError(f"the file holds no view bundle: {error}") from error
    return bundle


def require_well_formed(bundle: v1.ViewBundle) -> None:
    """Raise ``StatementMalformedError`` for a broken bound or a field unknown to this version."""
    copy = v1.ViewBundle()
    copy.CopyFrom(bundle)  # the check for unknown fields throws them away
    refuse_unknown_fields(copy)
    validate(bundle)


def assemble_bundle(
    ask: v1.RequestViewRequest,
    answer: v1.RequestViewResponse,
    licences: Mapping[bytes, v1.Envelope],
    calibrations: Mapping[bytes, v1.Envelope],
) -> v1.ViewBundle:
    """Put an ask, its answer and the licences and calibration that the view names into one bundle.

    ``licences`` and ``calibrations`` have envelopes by statement digest. Nothing is verified here. Raises
    ``LicenceMissingError`` or ``CalibrationMissingError`` where the view names others, and
    ``BundleMalformedError`` where the answer holds no view.
    """
    view = v1.View()
    try:
        view.ParseFromString(answer.view.payload)
    except DecodeError as error:
        raise BundleMalformedError("the answer holds no view") from error
    missing = [digest for digest in view.licence_digests if digest not in licences]
    if missing:
        raise LicenceMissingError(missing)
    if view.calibration_digest not in calibrations:
        raise CalibrationMissingError(view.calibration_version)
    return v1.ViewBundle(
        view=answer.view,
        request=ask.request,
        consent=ask.consent,
        binding=ask.binding,
        consent_status=answer.consent_status,
        statements=answer.statements,
        intent=answer.intent,
        release=answer.release,
        licences=[licences[digest] for digest in view.licence_digests],
        calibration=calibrations[view.calibration_digest],
    )
