"""Taking in a binding that took over from another: from then on the key before is dead here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from concordat import v1
from concordat.refusal import refusing_untrusted
from concordat.trust.envelope import open_envelope
from exchange.consents import table as consents
from exchange.log import records
from exchange.log import table as log
from exchange.subjects import bindings_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.federation.anchors import Anchors
    from concordat.trust.envelope import Verified


@dataclass(frozen=True, slots=True)
class Opened:
    """A binding that the registrar told of and signed, and its place."""

    sequence: int
    verified: Verified[v1.SubjectBinding]
    envelope: v1.Envelope


def open_rebinding(told: v1.Rebinding, anchors: Anchors, at: datetime) -> Opened:
    """Verify that the registrar signed it; one that has ended since kills the one before all the same.

    Raises ``Refusal``.
    """
    with refusing_untrusted():
        verified = open_envelope(told.binding, v1.SubjectBinding, anchors.registrar, at)
    anchors.require_federation(verified.message.federation)
    return Opened(told.sequence, verified, told.binding)


def take_in(connection: Connection, told: Sequence[Opened], at: datetime) -> int:
    """Keep and log what was not taken in before, and how far this goes; return how many were new.

    Each is logged once, in its subject's chain, whether the new key or the registrar came here first.
    """
    before = bindings_table.cursor(connection, hold=True)
    new = [each for each in told if each.sequence > before]
    for each in new:
        binding = each.verified.message
        ref = binding.subject_ref
        known = consents.binding_versions(connection, [ref], hold=True).get(ref)
        consents.put_binding(connection, binding, each.envelope, known)
        log.enqueue(connection, [records.binding_act(binding, each.verified.digest, at)])
    if new:
        bindings_table.advance(connection, new[-1].sequence)
    return len(new)
