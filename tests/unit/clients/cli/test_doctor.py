"""`concordat doctor`: every member is tried, what is wrong is said, and cron gets its exit code."""

from pathlib import Path
from typing import Any

from concordat.federation.anchors import save_bundle
from tests.builders import LENDER, PROVIDERS
from tests.unit.clients.cli.conftest import Desk


def by_name(told: Any) -> dict[str, Any]:
    return {each["check"]: each for each in told["checks"]}


def test_a_member_that_is_away_is_a_failure_and_the_others_are_not(desk: Desk) -> None:
    desk.fake.stop(4)  # the first provider
    member = desk.member(LENDER)
    told = desk.json("doctor", *desk.trust, "--member", member, "--seconds", 5, code=1)
    found = by_name(told)
    away = found[f"{PROVIDERS[0]}, port for subjects"]
    assert (told["ok"], told["reason"], away["status"]) == (False, "NOT_WELL", "fail")
    assert away["advice"] in told["advice"]
    # Its certificate ends within thirty days.
    assert found[f"{PROVIDERS[1]}, port for subjects"]["status"] == "warn"
    assert found["licences"]["status"] == "ok"
    assert any("--config" in what for what in told["not_looked_at"])


def test_another_members_certificate_does_not_pass_for_the_one_dialled(desk: Desk) -> None:
    moved = desk.fake.federation.bundle
    moved.registrar_public_endpoint = moved.exchange_public_endpoint
    path = desk.folder / "moved.json"
    save_bundle(moved, path)
    told = desk.json("doctor", "-t", path, "--seconds", 5, code=1)
    found = by_name(told)["registrar, port for subjects"]
    assert (found["status"], "TLS fails" in found["found"]) == ("fail", True)


def test_quiet_names_only_what_is_not_well(desk: Desk) -> None:
    shown = desk.run("doctor", *desk.trust, "--quiet", "--backup", desk.folder / "none")
    assert shown.exit_code == 1
    assert "backup" in shown.output
    assert "licences" not in shown.output


def test_a_bundle_that_is_none_is_wrong_usage(desk: Desk) -> None:
    (desk.folder / "none.json").write_text("{", "utf-8")
    told = desk.json("doctor", "-t", Path(desk.folder / "none.json"), code=2)
    assert told["ok"] is False
