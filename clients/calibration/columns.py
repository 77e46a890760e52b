"""The columns of a sample: providers, the outcome, groups to audit, and nothing that tells who it is."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from clients.calibration.errors import SampleInvalid

OUTCOME: Final = "outcome"
GROUP: Final = "group:"
MOST_PROVIDERS: Final = 32
MOST_ATTRIBUTES: Final = 8
LONGEST_NAME: Final = 64

_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9 _./-]{0,63}")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each column stands, from 0.

    Attributes:
        providers: member_id to column, in the file's order.
        outcome: column of the outcome.
        groups: attribute to column.
        count: columns in all.
    """

    providers: dict[str, int]
    outcome: int
    groups: dict[str, int]
    count: int


def read_header(names: list[str], providers: Collection[str]) -> Columns:
    """Sort out the header of a sample; `providers` are those whose scale is known.

    Raises:
        SampleInvalid: a column is named twice, is of no provider, or is missing. Any other column is
            refused: whatever it holds, it might tell who a row is about.
    """
    found = Columns({}, names.index(OUTCOME) if OUTCOME in names else -1, {}, len(names))
    for place, name in enumerate(names):
        if name in names[:place]:
            raise SampleInvalid(f"column {name!r} is there twice; keep one")
        if name.startswith(GROUP):
            found.groups[_attribute(name)] = place
        elif name in providers:
            found.providers[name] = place
        elif name != OUTCOME:
            raise SampleInvalid(_unknown(name, providers))
    _check(found)
    return found


def _attribute(name: str) -> str:
    attribute = name.removeprefix(GROUP)
    if not _ATTRIBUTE.fullmatch(attribute):
        raise SampleInvalid(
            f"column {name!r}: name the attribute in at most {LONGEST_NAME} letters, digits and blanks, "
            f"such as {GROUP}region"
        )
    return attribute


def _unknown(name: str, providers: Collection[str]) -> str:
    known = ", ".join(sorted(providers)) or "none"
    return (
        f"column {name!r} is refused: a sample holds scores, the outcome and groups, and nothing that "
        f"may tell who a row is about. Remove it; or name it {GROUP}{name} if it holds a few large "
        f"groups to audit; or, if it is a provider, give its licence. Providers known: {known}"
    )


def _check(found: Columns) -> None:
    if found.outcome < 0:
        raise SampleInvalid(
            f"there is no column {OUTCOME!r}; add it: 1 where the subject defaulted, else 0"
        )
    if not found.providers:
        raise SampleInvalid("there is no column of any provider; name one by its member_id")
    if len(found.providers) > MOST_PROVIDERS:
        raise SampleInvalid(
            f"there are {len(found.providers)} providers; a calibration holds at most {MOST_PROVIDERS}"
        )
    if len(found.groups) > MOST_ATTRIBUTES:
        raise SampleInvalid(
            f"there are {len(found.groups)} columns of groups; give at most {MOST_ATTRIBUTES}"
        )
