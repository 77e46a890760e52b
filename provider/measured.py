"""What a node counts of its answers, and what it reads for a scrape of its metrics."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from concordat import v1
from concordat.clock import Clock
from concordat.federation.directory import MemberDirectory
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from concordat.telemetry.labels import reason_name
from concordat.telemetry.licences import read_licences
from concordat.telemetry.metrics import ANSWERS, CONSENT_REFUSALS, OUTBOX
from provider.store import outbox

_ABSENCES = {v1.Absence.ABSENCE_NO_RECORD: "NO_RECORD", v1.Absence.ABSENCE_FROZEN: "FROZEN"}


def count_answers(answers: Sequence[v1.ScoreStatement | Refusal]) -> None:
    """Count each by what it says, never of whom or how much."""
    for answer in answers:
        if isinstance(answer, Refusal):
            ANSWERS.add("REFUSED")
            CONSENT_REFUSALS.add(reason_name(answer.reason))
        elif answer.WhichOneof("answer") == "absence":
            ANSWERS.add(_ABSENCES.get(answer.absence, ""))
        else:
            ANSWERS.add("SCORED")


def readings(
    store: GroupCommit, directory: MemberDirectory, clock: Clock
) -> list[Callable[[], None]]:
    """Return what sets a node's gauges."""

    def read_outbox(connection: Connection) -> int:
        return outbox.unsettled(connection)

    return [
        lambda: read_licences(directory, clock.now()),
        lambda: OUTBOX.set(store.run(read_outbox)),
    ]
