"""Letting a call in: the same steps for the synchronous and the asyncio server."""

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cryptography import x509
from google.protobuf.message import Message

from concordat.clock import Clock
from concordat.federation.directory import Member, MemberDirectory
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.rpc.policy import POLICY, Port
from concordat.trust.envelope import validate
from concordat.trust.errors import StatementMalformedError
from concordat.v1 import Reason

REQUEST_ID_KEY = "x-request-id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted call: who, when (the only reading of the clock), and how long there is."""

    method: str
    request_id: str
    at: datetime
    caller: Member | None  # None on the public port and for probes
    seconds_left: float | None  # None where the method needs no deadline

    @property
    def member(self) -> Member:
        """The calling member, for methods whose row demands one."""
        if self.caller is None:
            raise Refusal(
                Reason.REASON_CALLER_UNKNOWN, "the method policy admits no anonymous caller"
            )
        return self.caller


CURRENT_CALL: ContextVar[Call] = ContextVar("concordat_call")


def current_call() -> Call:
    """Return the call that the running servicer method answers."""
    return CURRENT_CALL.get()


@lru_cache(maxsize=4096)
def _certificate(pem: bytes) -> tuple[tuple[str, ...], datetime, datetime]:
    """Return a certificate's URI SANs and its validity."""
    certificate = x509.load_pem_x509_certificate(pem)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        uris: tuple[str, ...] = ()
    else:
        uris = tuple(names.get_values_for_type(x509.UniformResourceIdentifier))
    return uris, certificate.not_valid_before_utc, certificate.not_valid_after_utc


class Admission:
    """Decides which calls a server's port lets in."""

    def __init__(
        self,
        directory: MemberDirectory,
        clock: Clock,
        port: Port,
        require_current: Callable[[], None] = lambda: None,
    ) -> None:
        """Admit by the members of ``directory`` on ``port``, while ``require_current`` does not refuse.

        Without that, a process that has just been started would call everyone unlicensed whom it has not
        heard of yet.
        """
        self._directory = directory
        self._clock = clock
        self._port = port
        self._require_current = require_current

    @property
    def port(self) -> Port:
        """The port that it admits to."""
        return self._port

    def admit(
        self,
        method: str,
        auth: Mapping[str, Any],
        metadata: Mapping[str, str | bytes],
        seconds_left: float | None,
    ) -> Call:
        """Return the call if method, deadline, certificate, licence and role allow it, or raise ``Refusal``."""
        row = POLICY.get(method)
        if row is None or self._port not in row.ports:
            raise Refusal(
                Reason.REASON_METHOD_NOT_SERVED, f"{method} on the {self._port.value} port"
            )
        if row.deadline and seconds_left is None:
            raise Refusal(Reason.REASON_DEADLINE_MISSING, method)
        now = self._clock.now()
        caller = None
        if self._port is Port.MEMBER and row.licensed:
            member_id = self._member_id(auth, now)
            self._require_current()
            caller = self._directory.require(member_id, now, *row.roles)
        return Call(method, request_id_of(metadata), now, caller, seconds_left)

    def readmit(self, call: Call, auth: Mapping[str, Any], seconds_left: float | None) -> Call:
        """Return a long call as it is now; raise ``Refusal`` if it would not be let in any more."""
        now, caller = self._clock.now(), call.caller
        if caller is not None:
            row = POLICY[call.method]
            caller = self._directory.require(self._member_id(auth, now), now, *row.roles)
        return Call(call.method, call.request_id, now, caller, seconds_left)

    def _member_id(self, auth: Mapping[str, Any], now: datetime) -> str:
        """Return the member that the caller's certificate names; it must not have expired meanwhile."""
        pem = next(iter(auth.get("x509_pem_cert", ())), None)
        if pem is None:
            raise Refusal(Reason.REASON_CALLER_UNKNOWN, "no client certificate")
        uris, not_before, not_after = _certificate(pem)
        # A certificate's dates are checked on the real clock too, as TLS does: one may be fresher than ours.
        if not not_before <= max(now, datetime.now(UTC)) < not_after:
            raise Refusal(Reason.REASON_CALLER_UNKNOWN, "the certificate has expired")
        prefix = self._directory.anchors.tls_identity("")
        if len(uris) != 1 or not uris[0].startswith(prefix):
            raise Refusal(Reason.REASON_CALLER_UNKNOWN, f"the certificate names {uris}")
        return uris[0].removeprefix(prefix)


def request_id_of(metadata: Mapping[str, str | bytes]) -> str:
    """Return the caller's request id if it is well formed, else a fresh one."""
    given = metadata.get(REQUEST_ID_KEY, "")
    if isinstance(given, str) and _REQUEST_ID.fullmatch(given):
        return given
    return new_id().hex()


def require_valid(message: Message) -> None:
    """Raise ``Refusal`` (REASON_MESSAGE_INVALID) where a request breaks a bound of its proto."""
    try:
        validate(message)
    except StatementMalformedError as error:
        raise Refusal(Reason.REASON_MESSAGE_INVALID, str(error)) from error
