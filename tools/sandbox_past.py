"""Give a sandbox's exchange a past that is made up, so that the regulator's desk has finished days to show.

    .venv/bin/python tools/sandbox_past.py FOLDER/concordat-exchange/settings.toml [--seed 7]

FOLDER is a sandbox's whose exchange has not started yet, or has stopped. The acts are counted by the exchange's
own code, with their times passed in, and the exchange makes its tables of them by itself. Yesterday's alone are
made here, by the same code, so that they tell of made-up listings, which are gone after that. None of it is in
the log, which holds what happened. Refused for every federation but the sandbox's, and where there is a past
already.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete

from clients.sandbox import Sandbox, cast
from concordat import v1
from concordat.clock import from_timestamp, to_micros
from concordat.federation.anchors import Anchors, TrustBundleError, load_anchors
from concordat.federation.directory import MemberDirectory
from concordat.settings import SettingsError, load_settings
from concordat.statements import digest_of
from concordat.store.engine import StoreError
from concordat.store.exclusive import only_process
from concordat.v1 import DisclosureKind, Role
from exchange.consents import table as consents
from exchange.lenders.duties import TERM, Access, Counts
from exchange.limits.gate import Moved
from exchange.limits.rules import Level, Signal, Standing
from exchange.listings.rows import listing_values, source_values
from exchange.listings.table import listing, listing_source
from exchange.members.keeper import load
from exchange.settings import ExchangeSettings
from exchange.supervision.cases import table as cases
from exchange.supervision.statistics import acts, counting
from exchange.supervision.statistics.office import StatisticsOffice
from exchange.supervision.statistics.periods import SETTLES_IN, Period
from exchange.vault.fitting import open_vault
from exchange.views import table as views
from tools.made_up_listings import changes, standing
from tools.made_up_past import (
    DAY,
    DETAILED,
    Cast,
    Request,
    bad_day,
    consent_events,
    look_ups,
    often,
    requests,
    rhythm,
    starts,
)

SEED = 7
_CONSENTS = 15  # that are on record, of a lender on a day: enough for how soon they are used
_OUTCOMES, _MISSING, _UNREVIEWED = (
    40.0,
    0.02,
    0.3,
)  # of a lender on a day: due, of those missing; reviewed by nobody
_SIGNALS = {
    Signal.NO_MATCH: 0.12,
    Signal.OTHERS_CONSENTS: 0.08,
    Signal.ONE_SUBJECT: 0.5,
    Signal.OUT_OF_HOURS: 0.06,
}
"""How often a day each is newly seen of the second lender, which looks like fishing."""


class PastError(Exception):
    """No past can be made up here; the text says why."""


def write_past(sandbox: Sandbox) -> None:
    """Give a sandbox that has not started a past; its ``prepared``."""
    give_past(sandbox.layout.config(cast.EXCHANGE))


def give_past(config: Path, seed: int = SEED) -> None:
    """Write the past of the exchange with these settings.

    Raises ``PastError``, ``SettingsError``, or ``StoreError`` where the exchange runs or was not initialised.
    """
    settings, now = load_settings(ExchangeSettings, config), datetime.now(UTC)
    anchors = load_anchors(settings.trust_bundle)
    with only_process(settings.database):
        engine, _ = open_vault(settings.database, settings.storage_keys)
        try:
            with engine.begin() as connection:
                require_new_sandbox(connection, anchors)
                directory = MemberDirectory(anchors)
                load(connection, directory, now)
                who = _cast(directory)
                write(connection, who, now, seed)
                tell_standing(
                    connection, StatisticsOffice(settings.supervision, directory), who, now, seed
                )
        finally:
            engine.dispose()


def require_new_sandbox(connection: Connection, anchors: Anchors) -> None:
    """Raise ``PastError`` for every federation but the sandbox's, and where anything was asked for already."""
    if anchors.federation != cast.FEDERATION:
        raise PastError(f"{anchors.federation} is no sandbox: its counts are of what happened")
    if views.latest_time(connection):
        raise PastError("this exchange has a past already; start from a new sandbox")


def _cast(directory: MemberDirectory) -> Cast:
    providers = sorted(
        each.member_id for each in directory.members() if Role.ROLE_PROVIDER in each.roles
    )
    return Cast(providers, (cast.LENDER, cast.OTHER_LENDER), cast.REGULATOR)


def write(connection: Connection, who: Cast, now: datetime, seed: int = SEED) -> None:
    """Count what happened on the days that are over by ``now``: the same for a seed, a cast and a day."""
    days = starts(now)
    bad = bad_day(days)
    for nth, day in enumerate(days):
        chance, back = random.Random(f"{seed} {day:%Y-%m-%d}"), len(days) - nth  # noqa: S311 - no secret
        _listings(connection, day, who, chance)
        _look_ups(connection, day, who, chance, now)
        _signals(connection, day, who.lenders[1], chance)
        if back <= DETAILED:
            _requests(connection, list(requests(day, who, chance, bad=day == bad)), chance)
            _consent_events(connection, day, chance)
    _outcomes(connection, days[0] - TERM, days[-1] - DETAILED * DAY, who, seed)


def tell_standing(
    connection: Connection, office: StatisticsOffice, who: Cast, now: datetime, seed: int = SEED
) -> None:
    """Make yesterday's tables while made-up listings stand, as the exchange would have; then they are gone."""
    day, chance = starts(now)[-1], random.Random(f"{seed} standing")  # noqa: S311 - no secret
    made = list(standing(day, who.providers, chance))
    kept = {
        "steps": 0,
        "revision": 0,
    }  # as of no change: nobody who reads on from one is told of them
    connection.execute(listing.insert(), [listing_values(each) | kept for each in made])
    rows = [row for each in made for row in source_values(each)]
    connection.execute(listing_source.insert(), rows)
    period = Period.day(day.date().isoformat())
    office.read(connection, period, period.end + SETTLES_IN)
    for table in (listing_source, listing):
        refs = [each.subject_ref for each in made]
        connection.execute(delete(table).where(table.c.subject_ref.in_(refs)))


def _listings(connection: Connection, day: datetime, who: Cast, chance: random.Random) -> None:
    moves = list(changes(day, who.providers, chance))
    counting.count(connection, [(at, acts.of_listings([change])) for at, change in moves])


def _look_ups(
    connection: Connection, day: datetime, who: Cast, chance: random.Random, now: datetime
) -> None:
    """Count the regulator's look-ups; whoever was to be told by now was, on the day."""
    made = list(look_ups(day, who, chance))
    counting.count(connection, [(at, acts.of_case(act)) for at, act in made])
    for _, act in made:
        due = from_timestamp(act.notice_at)
        if due < now and not act.refusal:
            record_id = chance.randbytes(16)
            cases.owe(connection, act.subject_ref, record_id, due)
            cases.claim(connection, act.subject_ref, record_id, due)


def _signals(connection: Connection, day: datetime, lender: str, chance: random.Random) -> None:
    at, calm = day + timedelta(hours=22), Standing(Level.NORMAL, day)
    for signal, mean in _SIGNALS.items():
        for _ in range(often(mean, chance)):
            seen = Standing(Level.STEPPED_UP, at, signals={signal: at})
            moved = Moved(lender, calm, seen)
            counting.count(connection, [(at, acts.of_lender(moved))])


def _requests(connection: Connection, made: Sequence[Request], chance: random.Random) -> None:
    entries = [_entry(each, chance) for each in made]
    views.add(connection, entries, [])
    answered = [
        (each.view, each.waited, entry)
        for each, entry in zip(made, entries, strict=True)
        if each.view is not None
    ]
    views.release(connection, [_release(view, entry) for view, _, entry in answered])
    counting.count(
        connection,
        [
            (from_timestamp(view.issued_at), acts.of_view(view, waited))
            for view, waited, _ in answered
        ],
    )
    _consents(connection, made, entries)


def _entry(made: Request, chance: random.Random) -> dict[str, object]:
    """Return an access entry about nobody: its reference is none that the registrar gave."""
    return {
        "subject_ref": chance.randbytes(32),
        "access_id": chance.randbytes(16),
        "lender": made.lender,
        "consent_id": chance.randbytes(16),
        "request_digest": chance.randbytes(32),
        "purpose": made.purpose,
        "disclosure": DisclosureKind.DISCLOSURE_KIND_FULL,
        "recorded_at": to_micros(made.at),
        "refusal": made.refusal,
        "counted": not made.refusal,
        "threshold": 0,
        "asked_of": None,
    }


def _release(view: v1.View, entry: Mapping[str, object]) -> dict[str, object]:
    return {
        "key_ref": entry["subject_ref"],
        "key_id": entry["access_id"],
        "at": to_micros(from_timestamp(view.issued_at)),
        "outcome": "complete",
        "digest": bytes(32),
    }


def _consents(
    connection: Connection, made: Sequence[Request], entries: Sequence[Mapping[str, Any]]
) -> None:
    """Put consents of some accesses on record, over since: their tables tell how soon they were used."""
    kept: Counter[str] = Counter()
    for each, entry in zip(made, entries, strict=True):
        if each.refusal or kept[each.lender] >= _CONSENTS:
            continue
        kept[each.lender] += 1
        terms = v1.Consent(
            subject_ref=entry["subject_ref"],
            consent_id=entry["consent_id"],
            recipient=each.lender,
        )
        envelope = v1.Envelope(payload=terms.SerializeToString())
        until, granted = to_micros(each.at + timedelta(hours=1)), to_micros(each.granted)
        consents.add(connection, terms, digest_of(envelope), envelope, until, 1, granted)


def _consent_events(connection: Connection, day: datetime, chance: random.Random) -> None:
    told = [(at, acts.of_consent_event(event, at)) for at, event in consent_events(day, chance)]
    counting.count(connection, told)


def _outcomes(
    connection: Connection, first: datetime, last: datetime, who: Cast, seed: int
) -> None:
    """Count what lenders owed of days of which no entry is kept, and told but for a few."""
    counts, chance = Counts(), random.Random(f"{seed} outcomes")  # noqa: S311 - no secret
    for nth in range((last - first).days):
        for lender in who.lenders:
            access = Access(lender, to_micros(first + nth * DAY))
            due = often(_OUTCOMES * rhythm(first + nth * DAY, chance), chance)
            missing = sum(chance.random() < _MISSING for _ in range(due))
            flagged = often(_UNREVIEWED, chance)
            counts.add(access, due=due, told=due - missing, unreviewed=flagged)
    counts.write(connection)


def main() -> int:
    """Make one up; exit 1 where that cannot be, and 2 where the settings are wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("settings", type=Path, help="Of the sandbox's exchange.")
    parser.add_argument("--seed", type=int, default=SEED, help="Another one gives another past.")
    asked = parser.parse_args()
    try:
        give_past(asked.settings, asked.seed)
    except SettingsError as error:
        print(f"settings: {error}", file=sys.stderr)
        return 2
    except (PastError, StoreError, TrustBundleError, OSError) as error:
        print(f"no past was made up: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
