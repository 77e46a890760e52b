"""Jurisdiction profiles: the time limits of listings, as data (rights.md, "Jurisdiction profiles").

A profile is a TOML file. Those of the enum ``Profile`` come with the package; an operator adds one by
putting ``<name>.toml`` into the folder of the setting ``listings.profiles`` and naming it in a licence
(``PROFILE_OWN``, ``own_profile``).
"""

import re
import tomllib
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from concordat import v1
from concordat.refusal import Refusal
from concordat.v1 import AmountBand, ListingKind, Reason

# Seconds are for rehearsals: no jurisdiction counts in them.
_SPAN = re.compile(r"(?:(\d{1,3})y)?(?:(\d{1,3})m)?(?:(\d{1,4})d)?(?:(\d{1,5})s)?", re.ASCII)


class ProfileError(Exception):
    """A profile can't be used; the text names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Span:
    """A length of calendar time: years and months first, then days and seconds."""

    months: int = 0
    days: int = 0
    seconds: int = 0

    def after(self, moment: datetime) -> datetime:
        """Return the time this long after ``moment``; the 31st becomes the last day of a shorter month."""
        month = moment.month - 1 + self.months
        year, month = moment.year + month // 12, month % 12 + 1
        day = min(moment.day, monthrange(year, month)[1])
        exact = timedelta(days=self.days, seconds=self.seconds)
        return moment.replace(year=year, month=month, day=day) + exact


def _span(written: object) -> Span:
    if isinstance(written, Span):
        return written
    match = _SPAN.fullmatch(written) if isinstance(written, str) and written else None
    if match is None:
        raise ValueError(f"{written!r} is no length of time such as '7y180d', '1m' or '30d'")
    years, months, days, seconds = (int(part or 0) for part in match.groups())
    return Span(years * 12 + months, days, seconds)


def _some(span: Span) -> Span:
    if span == Span():
        raise ValueError("must be longer than nothing")
    return span


Length = Annotated[Span, BeforeValidator(_span)]
Period = Annotated[Length, AfterValidator(_some)]
Minor = Annotated[int, Field(strict=True, ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Repair(_Part):
    """A rule by which a settled listing ends early, with no application."""

    ends: Literal["withdrawn", "repaired"] = Field(description="How it ends.")
    after: Length = Field(default=Span(), description="How long after settlement.")
    paid_within: Length | None = Field(
        default=None, description="Only where it was settled this soon after the anchor."
    )
    up_to_minor: Minor | None = Field(
        default=None, description="Only up to this amount, minor units."
    )


class KindLimits(_Part):
    """Limits of one kind of listing."""

    life: Period = Field(description="How long after the anchor it ends.")
    after_settlement: Length | None = Field(
        default=None, description="How long after settlement it ends, where that is sooner."
    )
    prolonged_by_court: Period | None = Field(
        default=None, description="By how much in all a court's own order may prolong it."
    )
    while_disputed: Literal["suppress", "mark"] = Field(
        description="What a lender sees of it while a dispute is open: nothing, or a mark."
    )
    repair: tuple[Repair, ...] = Field(default=(), description="Rules by which it ends early.")


class Profile(_Part):
    """The limits of one jurisdiction."""

    notice: Period = Field(description="From the delivery of the notice to the earliest effect.")
    dispute: Period = Field(description="From a dispute to its ruling.")
    extension: Period | None = Field(
        default=None, description="By how much a reviewer may prolong that, once, with reasons."
    )
    appeal_within: Period = Field(default=Span(days=10), description="From a ruling to its appeal.")
    appeal: Period = Field(default=Span(days=15), description="From an appeal to its decision.")
    currency: str = Field(pattern="^[A-Z]{3}$", description="What debts are counted in.")
    floor_minor: Minor = Field(description="Debts below this are not listed; minor units.")
    bands_minor: tuple[Minor, Minor, Minor] = Field(
        description="Where amount bands end; minor units."
    )
    debt: KindLimits
    judgment: KindLimits

    def limits(self, kind: ListingKind.ValueType) -> KindLimits:
        """Return the limits of one kind of listing."""
        return self.judgment if kind == ListingKind.LISTING_KIND_JUDGMENT else self.debt

    def band(self, minor: int) -> AmountBand.ValueType:
        """Return the band of an amount in minor units."""
        bands = (
            AmountBand.AMOUNT_BAND_SMALL,
            AmountBand.AMOUNT_BAND_MODERATE,
            AmountBand.AMOUNT_BAND_LARGE,
            AmountBand.AMOUNT_BAND_VERY_LARGE,
        )
        return bands[sum(minor >= limit for limit in self.bands_minor)]


_BUILT_IN = {
    v1.Profile.PROFILE_EU: "eu",
    v1.Profile.PROFILE_US: "us",
    v1.Profile.PROFILE_CN: "cn",
    v1.Profile.PROFILE_IN: "in",
    v1.Profile.PROFILE_UK: "uk",
}


class Profiles:
    """All profiles that this exchange knows, by name."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        """Know these."""
        self._profiles = dict(profiles)

    @classmethod
    def load(cls, folder: Path | None = None) -> "Profiles":
        """Read the built-in profiles, and those in ``folder``; raise ``ProfileError``.

        An operator's own profile may not take a built-in one's name.
        """
        if folder is not None and not folder.is_dir():
            raise ProfileError(f"{folder}: there is no such folder")
        found = {
            name: parse_profile(text.read_text(encoding="utf-8"), f"profile {name}")
            for name in _BUILT_IN.values()
            for text in (files("exchange.listings") / "profiles" / f"{name}.toml",)
        }
        for path in sorted(folder.glob("*.toml")) if folder else []:
            if path.stem in found:
                raise ProfileError(f"{path}: the name {path.stem!r} is a built-in profile's")
            found[path.stem] = parse_profile(_text_of(path), str(path))
        return cls(found)

    def name_of(self, licence: v1.Licence) -> str:
        """Return the name of a member's profile; raise ``Refusal`` where this exchange has none such."""
        name = _BUILT_IN.get(licence.profile, licence.own_profile)
        if name not in self._profiles:
            raise Refusal(Reason.REASON_LICENCE_NOT_IN_FORCE, f"no profile {name!r} here")
        return name

    def __getitem__(self, name: str) -> Profile:
        """Return a profile by its name."""
        return self._profiles[name]


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: {error}") from error


def parse_profile(text: str, where: str) -> Profile:
    """Read a profile; ``where`` is what errors name. Raises ``ProfileError``."""
    try:
        profile = Profile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{where}: {error}") from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ProfileError(f"{where}: {'; '.join(lines)}") from error
    if list(profile.bands_minor) != sorted(set(profile.bands_minor)):
        raise ProfileError(f"{where}: bands_minor must grow")
    return profile
