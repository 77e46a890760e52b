"""A log that is killed at any step loses, repeats and renumbers nothing that anybody was told of."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.log_kills import STEPS, Kills, Zygote


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as zygote:
        yield zygote


def test_a_kill_at_each_step_loses_repeats_and_renumbers_nothing(
    tmp_path: Path, zygote: Zygote
) -> None:
    kills = Kills(tmp_path, zygote)
    for number, step in enumerate(STEPS):
        kills.kill(step, nth=1 + number % 3, seed=number)
        if number % 4 == 3:
            kills.check()
    audited = kills.check()
    assert kills.kills == 20
    assert audited.size >= len(kills.entered) > len(kills.acknowledged) > 100


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_300_kills_lose_repeat_and_renumber_nothing(tmp_path: Path, zygote: Zygote) -> None:
    chance = random.Random(300)
    for life in range(10):  # a log grows too large to be read whole after every kill
        kills = Kills(tmp_path / f"log-{life}", zygote)
        kills.folder.mkdir()
        for number in range(30):
            kills.kill(chance.choice(STEPS), nth=chance.randint(1, 6), seed=chance.getrandbits(32))
            if number % 5 == 4:
                kills.check()
        assert kills.check().size >= len(kills.entered)


def test_a_kill_while_recovering_from_a_kill_is_recovered_from(
    tmp_path: Path, zygote: Zygote
) -> None:
    kills = Kills(tmp_path, zygote)
    for step in ("publish:uncommitted", "read", "rename:after", "publish:uncommitted", "published"):
        kills.kill(step, seed=1)
    kills.check()
