"""The doctor on a federation of real processes: all well, then without one of them, then with nobody."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clients.sandbox import EXCHANGE, LENDER, REGISTRAR, Sandbox

pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]


def concordat(*arguments: object) -> Any:
    command = [str(Path(sys.executable).parent / str(arguments[0])), *map(str, arguments[1:])]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) | {"code": done.returncode}


def bad(told: Any) -> set[str]:
    return {each["check"] for each in told["checks"] if each["status"] == "fail"}


def test_what_is_down_is_found_and_what_is_well_is_not_blamed(tmp_path: Path) -> None:
    with Sandbox(providers=1, witnesses=2, scores=False) as sandbox:
        provider = sandbox.provider_ids[0]
        configs = [
            part for who in (EXCHANGE, REGISTRAR, provider) for part in ("-c", sandbox.config(who))
        ]
        backup = tmp_path / "exchange.backup"
        concordat(
            "concordat-exchange",
            "backup",
            "--config",
            sandbox.config(EXCHANGE),
            "--out",
            backup,
        )
        member = sandbox.pki.member(LENDER).folder
        doctor = (
            *("concordat", "doctor", "-t", sandbox.trust_bundle, "--member", member),
            *("--backup", backup, *configs),
        )
        well = concordat(*doctor)
        assert (well["code"], well["ok"], bad(well)) == (0, True, set())
        assert well["not_looked_at"] == []
        assert {each["status"] for each in well["checks"] if "witness" in each["check"]} == {"ok"}

        sandbox.process(provider).kill()
        told = concordat(*doctor)
        ports = {f"{provider}, port for members", f"{provider}, port for subjects"}
        assert (told["code"], bad(told)) == (1, ports)

        sandbox.process(EXCHANGE).kill()
        without = concordat(*doctor)
        assert without["code"] == 1
        assert {"clock", "log", "licences", f"{EXCHANGE}, port for members"} <= bad(without)
        assert f"database of {EXCHANGE}" not in bad(without)
