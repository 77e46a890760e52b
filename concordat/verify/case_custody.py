"""Custody of notices: any two custodians open one together, none alone. Pure but for the random bytes.

The notice is encrypted under a fresh key K. For each pair of custodians i < j one gets a random a, the other
b = K xor a. Whatever one custodian holds is a set of independent uniform bytes; a pair's two halves are K.
Exact secret sharing for a threshold of two, with nothing but XOR (Shamir 1979 is for larger ones).
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError

from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member, open_licence
from concordat.ids import new_id
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.envelope import Verified, open_envelope, parse_statement
from concordat.trust.errors import SealInvalidError
from concordat.v1 import Reason

LABEL = b"concordat/custody/v1\n"
CUSTODIANS_NEEDED = 2
_KEY_BYTES, _NONCE_BYTES, _BLOCK, _LENGTH_BYTES = 32, 12, 1024, 4


def custody_tag(subject_ref: bytes) -> bytes:
    """Return the tag of deposits for a subject, 32 bytes: found by whoever knows the reference."""
    return hashlib.sha256(LABEL + subject_ref).digest()


@dataclass(frozen=True, slots=True)
class Held:
    """A deposit as a custodian gave it out: verified, and the exchange whose licence it came with."""

    deposit: Verified[v1.CustodyDeposit]
    exchange: Member


def make_deposits(
    notice: v1.Envelope,
    subject_ref: bytes,
    custodians: Sequence[str],
    opens_at: datetime,
    federation: str,
    at: datetime,
) -> list[v1.CustodyDeposit]:
    """Return one unsigned deposit for each of two or more custodians, given by distinct names."""
    key, deposit_id = os.urandom(_KEY_BYTES), new_id()
    shares = split(key, len(custodians))
    ciphertext = _encrypt(notice.SerializeToString(), key, deposit_id)
    return [
        v1.CustodyDeposit(
            federation=federation,
            deposit_id=deposit_id,
            custodian=name,
            tag=custody_tag(subject_ref),
            opens_at=to_timestamp(opens_at),
            ciphertext=ciphertext,
            shares=[
                v1.CustodyShare(other=custodians[other], share=share)
                for other, share in sorted(mine.items())
            ],
            made_at=to_timestamp(at),
        )
        for name, mine in zip(custodians, shares, strict=True)
    ]


def split(key: bytes, count: int) -> list[dict[int, bytes]]:
    """Return what each of ``count`` custodians gets: a share for each of the others, by its number."""
    if count < CUSTODIANS_NEEDED:
        raise ValueError("a key is split among two or more")
    shares: list[dict[int, bytes]] = [{} for _ in range(count)]
    for one, other in combinations(range(count), 2):
        half = os.urandom(len(key))
        shares[one][other], shares[other][one] = half, _xor(key, half)
    return shares


def open_deposit(
    held: v1.KeepCustodyRequest, anchors: Anchors, at: datetime, custodian: str = ""
) -> Held:
    """Verify that the federation's exchange signed a deposit, by the root-signed licence that came with it.

    ``custodian`` is whose it must be; empty for anyone's. Raises ``Refusal``.
    """
    exchange = open_licence(held.licence, anchors, at)
    if (
        exchange.member_id != anchors.bundle.exchange_id
        or v1.Role.ROLE_EXCHANGE not in exchange.roles
    ):
        raise Refusal(Reason.REASON_ROLE_NOT_ALLOWED, "the licence is not the exchange's")
    with refusing_untrusted():
        made = from_timestamp(parse_statement(v1.CustodyDeposit, held.deposit.payload).made_at)
        deposit = open_envelope(held.deposit, v1.CustodyDeposit, exchange.keys, made)
    anchors.require_federation(deposit.message.federation)
    if custodian and deposit.message.custodian != custodian:
        raise Refusal(Reason.REASON_STATEMENT_MALFORMED, "the deposit is for another custodian")
    return Held(deposit, exchange)


def combine(held: Iterable[v1.CustodyDeposit]) -> v1.Envelope:
    """Return the notice that two or more custodians' deposits of one id hold; not verified yet.

    Tries every pair, so that one custodian that gives out rubbish spoils nothing. Raises ``SealInvalidError``
    where none opens.
    """
    for one, other in combinations(held, 2):
        mine, yours = _share_for(one, other.custodian), _share_for(other, one.custodian)
        if mine is None or yours is None or one.deposit_id != other.deposit_id:
            continue
        try:
            return v1.Envelope.FromString(
                _decrypt(one.ciphertext, _xor(mine, yours), one.deposit_id)
            )
        except (InvalidTag, DecodeError):
            continue
    raise SealInvalidError("no two custodians' shares open the notice")


def _share_for(deposit: v1.CustodyDeposit, custodian: str) -> bytes | None:
    return next((each.share for each in deposit.shares if each.other == custodian), None)


def _encrypt(notice: bytes, key: bytes, deposit_id: bytes) -> bytes:
    """Return nonce and ciphertext of the notice, padded so that its length tells little."""
    nonce = os.urandom(_NONCE_BYTES)
    plain = len(notice).to_bytes(_LENGTH_BYTES, "big") + notice
    plain += bytes(-len(plain) % _BLOCK)
    return nonce + AESGCM(key).encrypt(nonce, plain, LABEL + deposit_id)


def _decrypt(ciphertext: bytes, key: bytes, deposit_id: bytes) -> bytes:
    nonce, sealed = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
    plain = AESGCM(key).decrypt(nonce, sealed, LABEL + deposit_id)
    length = int.from_bytes(plain[:_LENGTH_BYTES], "big")
    return plain[_LENGTH_BYTES : _LENGTH_BYTES + length]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
