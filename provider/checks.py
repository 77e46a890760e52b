"""The checks of ``concordat-provider check``: each looks at one thing and says what to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import grpc
from sqlalchemy.exc import SQLAlchemyError

from concordat import v1
from concordat.clock import MAX_SKEW, from_micros
from concordat.federation.anchors import Anchors, TrustBundleError, load_anchors
from concordat.federation.directory import Member, MemberDirectory
from concordat.refusal import Refusal
from concordat.rpc.channels import open_channel
from concordat.rpc.errors import RemoteError, from_rpc_error
from concordat.rpc.tls import TlsFileError, TlsIdentity, member_channel
from concordat.rpc.tls_check import require_certificate
from concordat.store.engine import StoreError, require_current
from concordat.store.reading import opened_to_read
from concordat.trust.errors import KeyFileError, SignatureInvalidError
from concordat.trust.keys import key_id
from concordat.v1.member_service_pb2_grpc import MemberServiceStub
from provider.database import load_directory
from provider.listings.debts import load_debt_key
from provider.listings.spool import require_private
from provider.migrations import SCRIPTS
from provider.query_source import QuerySource
from provider.settings import ProviderSettings
from provider.store import clock_mark, listings, outbox, scores
from provider.store.outbox import Delivery

T = TypeVar("T")
EXPIRES_SOON = timedelta(days=14)
REACH_SECONDS = 5.0
QUEUED_LONG = timedelta(hours=1)
_UNKNOWN_SUBJECT = bytes(32)
_SOURCES = (v1.Role.ROLE_FURNISHER, v1.Role.ROLE_COURT)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. ``state`` is "ok", "warning", "failed" or "skipped"."""

    check: str
    state: str
    detail: str


@dataclass(slots=True)
class Examination:
    """The checks in their order; a later one uses what an earlier one opened."""

    settings: ProviderSettings
    anchors: Anchors | None = None
    identity: TlsIdentity | None = None
    directory: MemberDirectory | None = None
    warnings: list[str] = field(default_factory=list)

    def run(self) -> Iterator[Finding]:
        """Make every check; one that fails stops no other."""
        checks: list[tuple[str, Callable[[], str]]] = [
            ("trust bundle", self._trust_bundle),
            ("signing key", self._signing_key),
            ("TLS certificate", self._tls),
            ("database", self._database),
            ("exchange", self._exchange),
            ("own licence", self._own_licence),
            ("scores", self._scores),
            ("listings", self._listings),
        ]
        if self.settings.scores.source == "none":
            checks.remove(("scores", self._scores))
        for name, check in checks:
            self.warnings.clear()
            try:
                detail = check()
            except _SkippedError as skipped:
                yield Finding(name, "skipped", str(skipped))
            except _FAILURES as error:
                yield Finding(name, "failed", str(error))
            else:
                state = "warning" if self.warnings else "ok"
                yield Finding(name, state, "; ".join([detail, *self.warnings]))

    def _trust_bundle(self) -> str:
        self.anchors = load_anchors(self.settings.trust_bundle)
        return f"federation {self.anchors.federation}"

    def _signing_key(self) -> str:
        return f"key {key_id(self.settings.signer().public_key)}"

    def _tls(self) -> str:
        settings, anchors = self.settings, _needed(self.anchors, "the trust bundle")
        identity = TlsIdentity.load(settings.tls_certificate, settings.tls_key)
        certificate = require_certificate(identity, anchors, settings.member_id, datetime.now(UTC))
        self.identity = identity
        left = certificate.not_valid_after_utc - datetime.now(UTC)
        if left < EXPIRES_SOON:
            self.warnings.append(f"it expires in {left.days} days: renew it")
        return f"valid until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"

    def _database(self) -> str:
        with opened_to_read(self.settings.database) as connection:
            require_current(connection.engine, SCRIPTS)
            mark = clock_mark.read(connection)
            now = datetime.now(UTC)
            if mark is not None and mark > now + MAX_SKEW:
                self.warnings.append(
                    f"its latest time is {mark:%Y-%m-%d %H:%M} UTC, ahead of this machine's clock: "
                    "time stands still for the node until then"
                )
            if self.anchors is not None:
                self.directory = load_directory(connection, self.anchors, now)
        return "at this version's schema"

    def _exchange(self) -> str:
        anchors = _needed(self.anchors, "the trust bundle")
        identity = _needed(self.identity, "the TLS certificate")
        bundle = anchors.bundle
        credentials = member_channel(identity, anchors)
        name = anchors.server_name(bundle.exchange_id)
        with open_channel(bundle.exchange_endpoint, credentials, name) as channel:
            try:
                listed = MemberServiceStub(channel).ListMembers(
                    v1.ListMembersRequest(), timeout=REACH_SECONDS
                )
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error
        directory = self.directory or MemberDirectory(anchors)
        directory.take(listed.licences, listed.statuses, datetime.now(UTC))
        self.directory = directory
        return f"{bundle.exchange_endpoint} answers, {len(listed.licences)} members"

    def _own_licence(self) -> str:
        member = self._member()
        now = datetime.now(UTC)
        directory = _needed(self.directory, "the directory")
        without_scores = self.settings.scores.source == "none"
        roles = _SOURCES if without_scores else (v1.Role.ROLE_PROVIDER,)
        directory.require(member.member_id, now, *roles)
        member.keys.find(key_id(self.settings.signer().public_key), now)
        if member.not_after - now < EXPIRES_SOON:
            self.warnings.append(f"it expires in {(member.not_after - now).days} days")
        if without_scores:
            return f"version {member.licence.version}"
        scale = member.licence.score_scale
        return f"version {member.licence.version}, scale {scale.minimum} to {scale.maximum}"

    def _scores(self) -> str:
        if self.settings.scores.source == "store":
            with opened_to_read(self.settings.database) as connection:
                held = scores.count(connection)
            if not held:
                self.warnings.append("load a file, or every answer is that there is no record")
            return f"{held:,} in the node's own database"
        source = QuerySource(self.settings.scores, 1)
        try:
            source.rows([_UNKNOWN_SUBJECT])
        finally:
            source.close()
        return "the query runs and returns the columns needed"

    def _listings(self) -> str:
        settings = self.settings.listings
        require_private(settings.spool)
        with opened_to_read(self.settings.database) as connection:
            own = listings.one_of(connection, self.settings.member_id)
            counts = outbox.counts(connection)
            due = outbox.next_due(connection)
        if own is not None or settings.debt_key.exists():
            load_debt_key(settings.debt_key, self.settings.member_id).require_fits(own)
        if refused := counts.get(Delivery.REFUSED, 0):
            self.warnings.append(f"{refused:,} were refused: see listings status")
        if due is not None and datetime.now(UTC) - from_micros(due) > QUEUED_LONG:
            self.warnings.append("some wait to be sent for more than an hour: see listings status")
        queued = counts.get(Delivery.QUEUED, 0) + counts.get(Delivery.WAITING, 0)
        return f"{counts.get(Delivery.SENT, 0):,} statements sent, {queued:,} queued"

    def _member(self) -> Member:
        """Return this provider's licence, as the exchange or the database has it."""
        directory = _needed(self.directory, "the exchange or the database")
        for member in directory.members():
            if member.member_id == self.settings.member_id:
                return member
        raise CheckFailedError(
            f"no licence of {self.settings.member_id}: ask the regulator for one"
        )


class CheckFailedError(Exception):
    """A check failed; the text says what to do."""


class _SkippedError(Exception):
    """A check needs what an earlier one could not give."""


_FAILURES = (
    CheckFailedError,
    KeyFileError,
    Refusal,
    RemoteError,
    SQLAlchemyError,
    SignatureInvalidError,
    StoreError,
    TlsFileError,
    TrustBundleError,
)


def _needed(value: T | None, what: str) -> T:
    if value is None:
        raise _SkippedError(f"needs {what}")
    return value
