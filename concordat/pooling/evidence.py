"""What the heard providers say: their readings, and the expectation of those that are missing.

With l the calibrated log-odds of a score, a reading is u = (l - center) / spread. All readings share
one risk f of the subject, which nobody observes (a one-factor model; Spearman 1904, Lawley and
Maxwell, Factor Analysis as a Statistical Method, 1971):

    u_i = loading_i * f + what is the provider's own        f, u_i: mean 0, variance 1
    a_i = loading_i / (1 - loading_i^2)
    information = sum over the heard of loading_i * a_i
    f   = sum over the heard of a_i * u_i / (1 + information)          expectation
    variance of f = 1 / (1 + information)

A missing reading is its expectation, loading_i * f. That is what makes any subset of the providers
work with the same terms, and what weighs evidence that providers repeat of each other less. Where
the calibration declares that having no record counts, whether a provider has one is evidence of f
like a reading, with a loading of its own.

Everything is an integer in millionths.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from concordat import v1
from concordat.pooling.scale import MICRO, CompiledScale, divide_half_even

TERA = MICRO * MICRO


@dataclass(frozen=True, slots=True)
class Reading:
    """One provider's compiled `ProviderReading`."""

    provider: str
    scale: CompiledScale
    center: int
    spread: int
    loading: int
    weight: int  # a, of a score
    effect: int
    recorded: tuple[int, int]  # reading of having no record, of having one
    record_loading: int
    record_weight: int

    @classmethod
    def of(cls, message: v1.ProviderReading, *, no_record_counts: bool) -> "Reading":
        """Compile a reading that keeps to the contract's bounds."""
        share = message.record_ppm
        deviation = isqrt(share * (MICRO - share))
        counts = no_record_counts and deviation > 0
        loading = message.record_loading_ppm if counts else 0
        recorded = (
            (
                divide_half_even(-share * MICRO, deviation),
                divide_half_even((MICRO - share) * MICRO, deviation),
            )
            if counts
            else (0, 0)
        )
        return cls(
            provider=message.provider,
            scale=CompiledScale(
                tuple(knot.score for knot in message.knots),
                tuple(knot.log_odds_micro for knot in message.knots),
            ),
            center=message.center_micro,
            spread=message.spread_micro,
            loading=message.loading_ppm,
            weight=_weight(message.loading_ppm),
            effect=message.effect_micro,
            recorded=recorded,
            record_loading=loading,
            record_weight=_weight(loading),
        )

    def of_log_odds(self, log_odds: int) -> int:
        """Return the reading of a calibrated log-odds."""
        return divide_half_even((log_odds - self.center) * MICRO, self.spread)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one subject, and what each provider that was heard told of the shared risk.

    Attributes:
        readings: every provider's, in the calibration's order, heard or expected; then the shared
            risk. Millionths of a standard deviation.
        log_odds: of each score heard, by place.
        told: a_i * u_i of each provider heard, by place; times 1e12.
        certainty: 1 + information, times 1e12.
    """

    readings: tuple[int, ...]
    log_odds: dict[int, int]
    told: dict[int, int]
    certainty: int


def gather(
    readings: Sequence[Reading], heard: Sequence[tuple[int, int | None]], *, no_record_counts: bool
) -> Evidence:
    """Return the evidence of `heard`: places of `readings` with the score, None for no record.

    Raises:
        ScoreOutOfScale: a score lies outside its provider's map.
    """
    log_odds: dict[int, int] = {}
    units: dict[int, int] = {}
    told: dict[int, int] = {}
    certainty = TERA
    for place, score in heard:
        reading, sum_told = readings[place], 0
        if score is not None:
            log_odds[place] = reading.scale.log_odds_micro(score)
            units[place] = reading.of_log_odds(log_odds[place])
            sum_told += reading.weight * units[place]
            certainty += reading.loading * reading.weight
        if no_record_counts:
            sum_told += reading.record_weight * reading.recorded[score is not None]
            certainty += reading.record_loading * reading.record_weight
        told[place] = sum_told
    shared = divide_half_even(sum(told.values()) * MICRO, certainty)
    every = [
        units[place] if place in units else divide_half_even(reading.loading * shared, MICRO)
        for place, reading in enumerate(readings)
    ]
    return Evidence((*every, shared), log_odds, told, certainty)


def variance_left(readings: Sequence[Reading], evidence: Evidence) -> int:
    """Return what the missing readings leave open of the pooled log-odds, in units of 1e-12.

    With e_i the effect of a missing reading: sum of e_i^2 (1 - loading_i^2), which is each one's own,
    and (sum of e_i loading_i)^2 / (1 + information), which they share. It never grows with one more
    heard.
    """
    own = shared = 0
    for place, reading in enumerate(readings):
        if place not in evidence.log_odds:
            own += reading.effect**2 * (TERA - reading.loading**2)
            shared += reading.effect * reading.loading
    return divide_half_even(own, TERA) + divide_half_even(shared**2, evidence.certainty)


def _weight(loading: int) -> int:
    """Return loading / (1 - loading^2), in millionths."""
    return divide_half_even(loading * TERA, TERA - loading**2)
