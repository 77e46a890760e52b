"""Federations in real processes: one that the tests of a session share, and fresh ones to break."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from clients.sandbox import Sandbox
from clients.sandbox.cast import read_providers
from clients.sandbox.scores import write_scores

# Mid-scale scores, the same at every start. Nobody knows NOBODY; the last provider knows only FIRM.
FIRM, SHOP, NOBODY = "SBA-1000000001", "SBA-1000000002", "SBA-9999999999"
PROVIDERS = 3

MakeSandbox = Callable[..., Sandbox]


def small_scores(folder: Path, providers: int = PROVIDERS) -> dict[str, Path]:
    files = {}
    for provider in read_providers(providers):
        low, high = provider.entry["score_min"], provider.entry["score_max"]
        rows = [(FIRM, (low + high) // 2), (SHOP, low + (high - low) // 4)]
        known = rows if provider.member_id != "ostrevane-guarantee-fund" else rows[:1]
        files[provider.member_id] = write_scores(folder / f"{provider.member_id}.csv", known)
    return files


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A federation of three providers. Leave its processes and standings as they are."""
    scores = small_scores(tmp_path_factory.mktemp("scores"))
    with Sandbox(providers=PROVIDERS, scores=scores) as federation:
        yield federation


@pytest.fixture
def make_sandbox(tmp_path: Path) -> Iterator[MakeSandbox]:
    """Start federations with ``Sandbox``'s options, to kill, pause and suspend in; stopped at the end."""
    with ExitStack() as stack:

        def make(**options: Any) -> Sandbox:
            providers = options.setdefault("providers", PROVIDERS)
            options.setdefault("scores", small_scores(tmp_path, providers))
            return stack.enter_context(Sandbox(**options))

        yield make
