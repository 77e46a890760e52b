"""A case look-up in real processes: three custodians, both command lines, and an exchange that is dead."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from clients.sandbox import EXCHANGE, Sandbox
from clients.sandbox.cast import REGULATOR
from clients.sandbox.demo import BORROWERS

PROGRAMS = Path(sys.executable).parent
pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]


def concordat(*arguments: object, code: int = 0) -> Any:
    """Run the command line as a person would, and return its JSON."""
    command = [str(PROGRAMS / "concordat"), *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_look_up_is_told_by_the_exchange_and_by_the_custodians_without_it(
    tmp_path: Path,
) -> None:
    with Sandbox(providers=1, witnesses=3, scores=True) as sandbox:
        (person,) = sandbox.enrol([next(iter(BORROWERS))])
        sandbox.lender().request_view(person.consent(sandbox.provider_ids))
        wallet = sandbox.wallet_of(person).folder
        trust = ("--trust-bundle", sandbox.trust_bundle)
        member = sandbox.pki.member(REGULATOR)
        case = tmp_path / "case.env"
        concordat(
            *("regulator", "case", "propose", case, *trust, "--regulator", REGULATOR),
            *("--subject", person.subject_ref.hex(), "--article", "Banking Act Art. 12(3)"),
            *("--reference", "FR/2026-0117", "--tell-in", 0),
        )
        look_up = ("regulator", "case", "look-up", case, *trust, "--member", member.folder)
        for number in (1, 2):
            key = ("--key", member.approver_key(number))
            concordat("regulator", "case", "approve", case, *key, "--yes")
            if number == 1:
                refused = concordat(*look_up, "--scope", "consents", code=1)
                assert refused["reason"] == "CASE_NOT_APPROVED"
        seen = concordat(*look_up)
        assert {answer["scope"] for answer in seen["answers"]} == {
            "listings",
            "accesses",
            "consents",
        }
        notices = _until_told(wallet, 4)
        assert [bool(each["refusal"]) for each in notices].count(True) == 1
        assert {each["from"] for each in notices} == {"the exchange"}
        accesses = concordat("wallet", "accesses", "--wallet", wallet)["entries"]
        assert [each["kind"] for each in accesses].count("case notice") == 4
        everything = concordat("wallet", "notices", "--collect", "--wallet", wallet)
        assert (everything["withheld"], everything["problems"]) == (0, [])

        sandbox.process(EXCHANGE).stop()
        sandbox.process(sandbox.witness_ids[0]).stop()
        alone = concordat("wallet", "notices", "--collect", "--wallet", wallet, code=3)
        assert {each["from"] for each in alone["notices"]} == {"2 custodians"}
        assert {each["case_reference"] for each in alone["notices"]} == {"FR/2026-0117"}
        assert len(alone["notices"]) == 3  # of the refused attempt, which released nothing, none


def _until_told(wallet: Path, count: int, seconds: float = 20) -> list[dict[str, Any]]:
    deadline = time.monotonic() + seconds
    while True:
        notices: list[dict[str, Any]] = concordat("wallet", "notices", "--wallet", wallet)[
            "notices"
        ]
        if len(notices) >= count:
            return notices
        assert time.monotonic() < deadline
        time.sleep(0.3)
