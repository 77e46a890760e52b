"""The notice that a subject is shown before it consents: plain words, made from the terms alone.

    consent.notice_hash == notice_hash(consent)

Anyone who holds a consent can render its notice again and see that the subject was shown these very
words: nothing but the consent's own fields goes in.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime

from clients.sdk.errors import ClientError
from clients.sdk.notice_texts import CATALOG, Texts
from concordat import v1
from concordat.clock import from_timestamp
from concordat.v1 import ConsentMode, DataCategory, DisclosureKind


class NoticeLanguageError(ClientError):
    """There is no notice in the language asked for."""


def render_notice(consent: v1.Consent) -> str:
    """Return the notice of a consent's terms in its ``notice_language``; ``notice_hash`` plays no part.

    Raises ``NoticeLanguageError`` for a language other than those of ``notice_texts.CATALOG``.
    """
    texts = CATALOG.get(consent.notice_language)
    if texts is None:
        raise NoticeLanguageError(
            f"there is no notice in {consent.notice_language!r}; use {' or '.join(CATALOG)}"
        )
    terms = {
        "recipient": consent.recipient,
        "purpose": texts.purposes[consent.purpose],
        "categories": texts.separator.join(texts.categories[c] for c in consent.data_categories),
        "disclosure": _disclosure(consent, texts),
        "providers": _asked(consent, texts),
        "frequency": _frequency(consent, texts),
        "valid_from": _moment(from_timestamp(consent.valid_from)),
        "valid_until": _moment(from_timestamp(consent.valid_until)),
        "data_life_days": str(consent.data_life_days),
        "federation": consent.federation,
        "consent_id": consent.consent_id.hex(),
    }
    body = [line.format(**terms) for line in (*texts.lines, *_shared(consent, texts))]
    return "\n".join([texts.title, "", *body, "", texts.rights]) + "\n"


def notice_hash(consent: v1.Consent) -> bytes:
    """Return the SHA-256 of the consent's notice in UTF-8: what its ``notice_hash`` must be."""
    return hashlib.sha256(render_notice(consent).encode()).digest()


def _shared(consent: v1.Consent, texts: Texts) -> Iterator[str]:
    """Yield what else is shared, said outright: nobody shall overlook it in a list."""
    if DataCategory.DATA_CATEGORY_LISTINGS in consent.data_categories:
        yield texts.listings_shared
    if DataCategory.DATA_CATEGORY_FLAGS in consent.data_categories:
        yield texts.flags_shared


def _asked(consent: v1.Consent, texts: Texts) -> str:
    if DataCategory.DATA_CATEGORY_SCORE not in consent.data_categories:
        return texts.nobody_asked
    return texts.separator.join(consent.providers)


def _disclosure(consent: v1.Consent, texts: Texts) -> str:
    if DataCategory.DATA_CATEGORY_SCORE not in consent.data_categories:
        return texts.no_score
    disclosure = consent.disclosure
    match disclosure.kind:
        case DisclosureKind.DISCLOSURE_KIND_FULL:
            return texts.full
        case DisclosureKind.DISCLOSURE_KIND_BAND:
            return texts.band
        case _:
            return texts.threshold.format(threshold=disclosure.threshold)


def _frequency(consent: v1.Consent, texts: Texts) -> str:
    if consent.mode == ConsentMode.CONSENT_MODE_ONCE:
        return texts.once
    return texts.periodic.format(
        uses=consent.frequency.uses,
        period=texts.periods[consent.frequency.period],
        max_uses=consent.max_uses,
    )


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
