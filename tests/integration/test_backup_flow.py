"""An exchange with real witnesses is backed up while it serves, lost, and put back, or not."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.sandbox import EXCHANGE, Sandbox
from clients.sandbox.demo import BORROWERS
from clients.sandbox.processes import SandboxError

PROGRAM = Path(sys.executable).parent / "concordat-exchange"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def federation() -> Iterator[Sandbox]:
    with Sandbox(providers=2, witnesses=3, scores=True) as sandbox:
        yield sandbox


def exchange(federation: Sandbox, *words: object, code: int = 0) -> Any:
    """Run a command as the operator would, and return its JSON."""
    config = federation.process(EXCHANGE).config
    command = [str(PROGRAM), *map(str, words), "--config", str(config), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_an_exchange_that_was_lost_is_put_back_and_last_weeks_backup_is_not(
    federation: Sandbox, tmp_path: Path
) -> None:
    folder = federation.process(EXCHANGE).config.parent
    (person,) = federation.enrol([next(iter(BORROWERS))])
    old = exchange(federation, "backup", "--out", tmp_path / "old.backup")
    copy = tmp_path / "copy.sqlite"
    federation.process(EXCHANGE).stop()
    shutil.copyfile(folder / "data.sqlite", copy)
    federation.process(EXCHANGE).restart()

    federation.lender().request_view(person.consent(federation.provider_ids))
    time.sleep(1)  # the checkpoint of its release
    federation.process(EXCHANGE).stop()
    new = exchange(federation, "backup", "--out", tmp_path / "new.backup")
    assert new["size"] > old["size"]

    # Lost: the database and the published log. Back by hand: it does not start.
    shutil.rmtree(folder / "log")
    for path in folder.glob("data.sqlite*"):
        path.unlink()
    shutil.copyfile(copy, folder / "data.sqlite")
    federation.process(EXCHANGE).start()
    with pytest.raises(SandboxError, match="does not lead to the newest checkpoint"):
        federation.process(EXCHANGE).wait_ready()
    assert not (folder / "log").exists()

    # Last week's: refused, with both checkpoints.
    (folder / "data.sqlite").unlink()
    refused = exchange(federation, "restore", tmp_path / "old.backup", "--replace", code=1)
    assert (refused["backup"]["size"], refused["newest"]["size"]) == (old["size"], new["size"])
    assert refused["backup"]["root"] == old["root"]
    assert refused["newest"]["root"] == new["root"]
    assert refused["newest"]["from"].startswith("witness ")

    # The newest: everything is as it was, and goes on.
    done = exchange(federation, "restore", tmp_path / "new.backup", "--replace")
    assert (done["size"], done["root"]) == (new["size"], new["root"])
    assert len(done["compared_with"]) == 3
    federation.process(EXCHANGE).restart()
    federation.lender().request_view(person.consent(federation.provider_ids))
    federation.process(EXCHANGE).stop()
    assert exchange(federation, "backup", "--out", tmp_path / "last.backup")["size"] > new["size"]
