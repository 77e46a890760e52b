"""A licensed federation to calibrate, and a sample of its subjects, for tests."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from clients.calibration.sealing import Terms, make_calibration
from clients.pki import LicenceSpec, Pki
from concordat import v1
from concordat.pooling import declare

PROVIDERS = ("alder-bank", "birch-payments", "cedar-guarantee")


def scale_of(minimum: int, maximum: int, *, riskier: bool = False) -> v1.ScoreScale:
    """Return a lawful scale."""
    ends = (20_000, 600_000) if riskier else (600_000, 20_000)
    return v1.ScoreScale(
        minimum=minimum,
        maximum=maximum,
        direction=v1.ScoreDirection.SCORE_DIRECTION_HIGHER_IS_RISKIER
        if riskier
        else v1.ScoreDirection.SCORE_DIRECTION_HIGHER_IS_SAFER,
        anchors=[
            v1.ScoreAnchor(score=minimum, default_ppm=ends[0]),
            v1.ScoreAnchor(score=maximum, default_ppm=ends[1]),
        ],
        reasons=[v1.ScoreReason(code="BK01", text="A reason")],
    )


SCALES = {
    "alder-bank": scale_of(300, 850),
    "birch-payments": scale_of(0, 100),
    "cedar-guarantee": scale_of(1, 20, riskier=True),
}


def make_pki(folder: Path) -> Pki:
    """Make a federation's folder with the exchange's and three providers' licences."""
    pki = Pki.create(folder, federation="test.concordat")
    pki.issue_licence(LicenceSpec(member_id="exchange", roles=[v1.Role.ROLE_EXCHANGE]))
    for provider, scale in SCALES.items():
        pki.add_member(provider)
        pki.issue_licence(
            LicenceSpec(member_id=provider, roles=[v1.Role.ROLE_PROVIDER], score_scale=scale)
        )
    return pki


def sample_csv(subjects: int = 600, seed: int = 1) -> str:
    """Return a sample whose scores follow one risk, with a region that has none of it."""
    draw = np.random.default_rng(seed)
    risk = draw.normal(-1, 1.2, subjects)
    outcome = draw.random(subjects) < 1 / (1 + np.exp(-risk))
    columns = []
    for minimum, maximum, sign in ((300, 850, -1), (0, 100, -1), (1, 20, 1)):
        seen = (risk + 1 + draw.normal(0, 1, subjects)) / 8 + 0.5
        scores = np.clip(seen if sign > 0 else 1 - seen, 0, 1) * (maximum - minimum) + minimum
        columns.append([str(int(score)) for score in scores])
    for place in (1, 2):
        for row in np.flatnonzero(draw.random(subjects) < 0.3):
            columns[place][row] = ""
    regions = draw.choice(["north", "south", "isles"], subjects, p=[0.55, 0.43, 0.02])
    header = ",".join([*PROVIDERS, "outcome", "group:region"])
    rows = zip(*columns, [str(int(each)) for each in outcome], regions, strict=True)
    return "\n".join([header, *(",".join(row) for row in rows)]) + "\n"


def declared(version: int, base: int = 50_000, *names: str) -> v1.Calibration:
    """Return a calibration with nothing fitted, of all three providers or some."""
    at = datetime(2026, 6, 1, tzinfo=UTC)
    return make_calibration(
        "test.concordat",
        Terms(version, at, at + timedelta(days=365)),
        declare({name: SCALES[name] for name in names or PROVIDERS}, base_default_ppm=base),
        v1.FitReport(method="declared"),
        at,
    )
