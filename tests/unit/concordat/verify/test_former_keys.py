"""Keys that were replaced: what they signed before counts, what they sign after does not."""

from collections.abc import Callable
from functools import partial

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.trust.envelope import Verified
from concordat.verify.consent import open_binding, open_consent
from concordat.verify.former_keys import FormerKeys, open_former_keys
from tests.builders import AT, DAY, Federation, Subject, signer


def bound(federation: Federation, version: int, days_ago: int) -> Subject:
    """Return ada with the key of a version, bound so many days ago."""
    key = signer(f"key {version}")
    person = federation.subject(
        version=version, public_key=key.public_key, not_before=to_timestamp(AT - days_ago * DAY)
    )
    return Subject(person.ref, key, person.binding)


class Keys:
    def __init__(self) -> None:
        self.federation = Federation()
        self.first, self.second, self.third = (
            bound(self.federation, version, days) for version, days in ((1, 90), (2, 60), (3, 10))
        )
        self.now = open_binding(self.third.binding, self.federation.anchors, AT)
        self.former = self.opened(self.first.binding, self.second.binding)

    def opened(self, *envelopes: v1.Envelope) -> FormerKeys:
        return open_former_keys(envelopes, self.now, self.federation.anchors, AT)

    def open(self, by: Subject, days_ago: int | None) -> Verified[v1.Consent]:
        envelope = self.federation.consent(by).envelope
        at = None if days_ago is None else AT - days_ago * DAY
        anchors = self.federation.anchors
        return self.former.open_with(
            self.now, lambda key: open_consent(envelope, key, anchors, AT), at
        )


def refused(work: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as caught:
        work()
    return v1.Reason.Name(caught.value.reason)


@pytest.mark.parametrize(
    ("version", "days_ago", "holds"),
    [(3, 0, True), (2, 11, True), (2, 9, False), (1, 61, True), (1, 59, False), (1, None, True)],
)
def test_a_former_key_counts_until_it_was_replaced(
    version: int, days_ago: int | None, holds: bool
) -> None:
    keys = Keys()
    by = {1: keys.first, 2: keys.second, 3: keys.third}[version]
    if holds:
        assert keys.open(by, days_ago).message.subject_ref == by.ref
    else:
        assert refused(partial(keys.open, by, days_ago)) == "REASON_SIGNATURE_INVALID"


def test_a_strangers_key_never_counts() -> None:
    keys = Keys()
    stranger = Subject(keys.first.ref, signer("mallory"), keys.first.binding)
    assert refused(partial(keys.open, stranger, 100)) == "REASON_SIGNATURE_INVALID"


def test_only_the_registrars_bindings_of_this_subject_are_former_keys() -> None:
    keys = Keys()
    bob = keys.federation.subject("bob").binding
    assert refused(partial(keys.opened, bob)) == "REASON_BINDING_INVALID"
    forged = v1.Envelope()
    forged.CopyFrom(keys.first.binding)
    forged.signatures[0].sig = bytes(64)
    assert refused(partial(keys.opened, forged)) == "REASON_SIGNATURE_INVALID"
    assert keys.opened(keys.third.binding).bindings == ()
