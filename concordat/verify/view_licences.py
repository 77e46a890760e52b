"""The licences that a view was made under: exchange, lender, then the providers that answered."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member, open_licence, require_in_force
from concordat.refusal import refusing_untrusted
from concordat.trust.envelope import parse_statement
from concordat.verify.mismatch import MismatchError

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Parties:
    """Who took part, each by a licence that verified and was in force at ``made_at``."""

    exchange: Member
    providers: dict[str, Member]  # in the bundle's order
    made_at: datetime  # as the view says; the view itself is checked after


@dataclass(frozen=True, slots=True)
class Members(Parties):
    """Who took part where a lender asked."""

    lender: Member


def open_members(bundle: v1.ViewBundle, anchors: Anchors) -> Members:
    """Verify the licences of a bundle, in force when the view says it was made, each in its role.

    Raises ``Refusal``; ``MismatchError`` where the first is not that of the federation's exchange
    or a provider comes twice.
    """
    with refusing_untrusted():
        made_at = from_timestamp(parse_statement(v1.View, bundle.view.payload).issued_at)
    exchange, lender, *others = _in_force(bundle.licences, anchors, made_at)
    _require_role(lender, v1.Role.ROLE_LENDER)
    return Members(exchange, _providers(others), made_at, lender)


def open_parties(bundle: v1.OwnViewBundle, anchors: Anchors) -> Parties:
    """Verify the licences of an own view, in force when it says it was made; raises as ``open_members``."""
    with refusing_untrusted():
        made_at = from_timestamp(parse_statement(v1.OwnView, bundle.view.payload).issued_at)
    exchange, *others = _in_force(bundle.licences, anchors, made_at)
    return Parties(exchange, _providers(others), made_at)


def _in_force(licences: Iterable[v1.Envelope], anchors: Anchors, made_at: datetime) -> list[Member]:
    """Return the members of licences, the first of which is that of the federation's exchange."""
    trust = anchors.bundle.SerializeToString(deterministic=True)
    members = [_opened(envelope.SerializeToString(), trust) for envelope in licences]
    for member in members:
        require_in_force(member, made_at)
    exchange = members[0]
    if exchange.member_id != anchors.bundle.exchange_id:
        raise MismatchError(f"the first licence is {exchange.member_id}'s, not the exchange's")
    _require_role(exchange, v1.Role.ROLE_EXCHANGE)
    return members


def _providers(members: Iterable[Member]) -> dict[str, Member]:
    providers: dict[str, Member] = {}
    for member in members:
        _require_role(member, v1.Role.ROLE_PROVIDER)
        if member.member_id in providers:
            raise MismatchError(f"{member.member_id} has two licences here")
        providers[member.member_id] = member
    return providers


def require_named(members: Members, view: v1.View) -> None:
    """Raise ``MismatchError`` unless the view names these licences, in order, and this lender."""
    held = [members.exchange, members.lender, *members.providers.values()]
    if list(view.licence_digests) != [member.licence_digest for member in held]:
        raise MismatchError("the view names other licences, or in another order")
    if view.lender != members.lender.member_id:
        raise MismatchError(
            f"the view is for {view.lender}, the licence {members.lender.member_id}'s"
        )


@lru_cache(maxsize=1024)
def _opened(envelope: bytes, trust: bytes) -> Member:
    """Verify one licence, remembered: a lender meets the same ones in every view.

    The time plays no part: root keys have no validity, and the licence's dates are looked at anew.
    """
    anchors = Anchors.of(v1.TrustBundle.FromString(trust))
    return open_licence(v1.Envelope.FromString(envelope), anchors, _ANY_TIME)


def _require_role(member: Member, role: v1.Role.ValueType) -> None:
    if role not in member.roles:
        raise MismatchError(f"{member.member_id} does not hold {v1.Role.Name(role)}")
