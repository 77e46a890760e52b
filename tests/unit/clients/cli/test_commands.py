"""The commands as they are run: exit codes, JSON, and errors that say what to do."""

from datetime import timedelta
from typing import Any

import pytest

from clients.cli.moments import duration
from clients.sdk import dump_permission
from concordat import v1
from concordat.federation.anchors import save_bundle
from concordat.refusal import Refusal
from concordat.v1 import Reason
from tests.builders import LENDER, PROVIDERS, REGULATOR, Federation
from tests.unit.clients.cli.conftest import Desk
from tests.view_builders import Absent, Failed

ALDER = PROVIDERS[0]


# View ------------------------------------------------------------------------------------------


def test_a_view_reads_well_and_its_file_verifies(desk: Desk) -> None:
    out = desk.folder / "view.cbundle"
    result = desk.run(*desk.request("--out", out))
    assert result.exit_code == 0, result.output
    for part in ("points", "band", "90 % interval", "Alder-Bank", "BK01 Reason 1", "delete by"):
        assert part in result.output
    assert "18 checks passed" in result.output
    verified = desk.run("view", "verify", out, *desk.trust)
    assert verified.exit_code == 0
    assert "ok:" in verified.output
    assert "computed anew" in verified.output
    assert "unified score" in desk.run("view", "show", out, *desk.trust).output


def test_a_view_in_json_has_the_documented_keys(desk: Desk) -> None:
    facts = desk.json(*desk.request())
    assert facts["ok"] is True
    assert facts["outcome"] == "complete"
    assert facts["partial"] is False
    assert facts["score"]["full"]["points"] > 0
    assert [p["provider"] for p in facts["providers"]] == list(PROVIDERS)
    assert facts["providers"][0] == {
        "provider": ALDER,
        "outcome": "scored",
        "calibration": None,
        "score": 700,
        "reasons": ["BK01", "BK02"],
    }
    assert all(check["ok"] for check in facts["checks"])


def test_a_view_shows_which_calibration_pooled_it(desk: Desk) -> None:
    out = desk.folder / "view.cbundle"
    facts = desk.json(*desk.request("--out", out))
    used = desk.fake.federation.directory.calibration(desk.fake.at)
    assert facts["calibration"] == {
        "version": 1,
        "digest": used.digest.hex(),
        "method": "declared",
        "subjects": 0,
        "in_use_since": used.not_before.isoformat(),
        "stale_from": used.stale_from.isoformat(),
    }
    shown = desk.run("view", "show", out, *desk.trust).output
    assert "version 1, declared, nothing fitted" in shown
    assert "% probability of default" in shown


def test_a_score_that_is_not_read_is_told_so(desk: Desk) -> None:
    federation = desk.fake.federation
    known = federation.directory.calibration(desk.fake.at).message.model
    model = v1.PoolingModel()
    model.CopyFrom(known)
    del model.providers[-1]
    del model.ramps[-1]
    federation.calibrate(version=2, model=model)
    out = desk.folder / "view.cbundle"
    facts = desk.json(*desk.request("--out", out))
    shown = desk.run("view", "show", out, *desk.trust).output
    assert "READ WITH CARE" in shown
    assert "not read" in shown
    assert [provider["calibration"] for provider in facts["providers"]] == [None, None, "none"]
    scored = [part["provider"] for part in facts["score"]["full"]["contributions"]]
    assert scored == list(PROVIDERS[:2])


def test_a_partial_view_exits_with_4_and_cannot_be_overlooked(desk: Desk) -> None:
    desk.fake.answers[ALDER] = Failed()
    result = desk.run(*desk.request())
    assert result.exit_code == 4
    assert "PARTIAL VIEW: 1 of 3 providers missing" in result.output
    assert "PROVIDER_TIMED_OUT" in result.output
    assert "VIEW_PARTIAL" in result.stderr


def test_a_partial_view_that_is_accepted_exits_with_0(desk: Desk) -> None:
    desk.fake.answers[ALDER] = Failed()
    facts = desk.json(*desk.request("--accept-partial"))
    assert (facts["ok"], facts["partial"], facts["outcome"]) == (True, True, "partial")
    assert facts["providers"][0]["reason"] == "PROVIDER_TIMED_OUT"


def test_a_partial_view_in_json_says_why_it_is_not_ok(desk: Desk) -> None:
    desk.fake.answers[ALDER] = Failed()
    facts = desk.json(*desk.request(), code=4)
    assert (facts["ok"], facts["reason"], facts["outcome"]) == (False, "VIEW_PARTIAL", "partial")


def test_a_view_without_a_score_is_shown_as_such(desk: Desk) -> None:
    desk.fake.answers = dict.fromkeys(PROVIDERS, Absent())
    result = desk.run(*desk.request())
    assert result.exit_code == 0
    assert "No score" in result.output
    assert "no record" in result.output


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (v1.DisclosureKind.DISCLOSURE_KIND_BAND, "Band "),
        (v1.DisclosureKind.DISCLOSURE_KIND_THRESHOLD, "600 points: "),
    ],
)
def test_less_than_full_disclosure_shows_that_and_nothing_else(
    desk: Desk, kind: v1.DisclosureKind.ValueType, words: str
) -> None:
    threshold = 600 if kind == v1.DisclosureKind.DISCLOSURE_KIND_THRESHOLD else 0
    terms = v1.Disclosure(kind=kind, threshold=threshold)
    arguments = desk.request()
    permission = desk.fake.permission(disclosure=terms)
    (desk.folder / "ada.consent").write_bytes(dump_permission(permission))
    result = desk.run(*arguments)
    assert result.exit_code == 0, result.output
    assert words in result.output
    assert "probability" not in result.output
    assert "BK01" not in result.output


def test_a_refusal_exits_with_1_and_says_reason_and_advice(desk: Desk) -> None:
    desk.fake.refuse["RequestView"] = [Refusal(Reason.REASON_CONSENT_REVOKED)]
    result = desk.run(*desk.request())
    assert result.exit_code == 1
    assert "reason: CONSENT_REVOKED" in result.stderr
    assert "advice: The subject has revoked this consent." in result.stderr


def test_a_threshold_that_moved_is_refused_with_how_long_to_wait(desk: Desk) -> None:
    wait = timedelta(days=71, hours=3)
    desk.fake.refuse["RequestView"] = [Refusal(Reason.REASON_THRESHOLD_MOVED, retry_after=wait)]
    result = desk.run(*desk.request())
    assert result.exit_code == 1
    assert "reason: THRESHOLD_MOVED" in result.stderr
    assert "ask for the same again" in result.stderr
    assert "Try again in 72 days." in result.stderr


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (120, "120 s"), (121, "3 minutes"), (7200, "120 minutes"), (7201, "3 hours")],
)
def test_a_wait_is_told_in_units_that_people_use(seconds: float, words: str) -> None:
    assert duration(timedelta(seconds=seconds)) == words


def test_a_threshold_is_not_told_while_a_provider_is_missing(desk: Desk) -> None:
    desk.fake.answers[ALDER] = Failed()
    terms = v1.Disclosure(kind=v1.DisclosureKind.DISCLOSURE_KIND_THRESHOLD, threshold=600)
    arguments = desk.request("--accept-partial")
    (desk.folder / "ada.consent").write_bytes(
        dump_permission(desk.fake.permission(disclosure=terms))
    )
    result = desk.run(*arguments)
    assert result.exit_code == 0, result.output
    assert "No score: a provider is missing." in result.output
    assert "600 points: " not in result.output


def test_an_exchange_that_is_gone_exits_with_3(desk: Desk) -> None:
    desk.fake.stop(0)
    facts = desk.json(*desk.request("--seconds", 2), code=3)
    assert facts["reason"] in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
    assert "endpoint" in facts["advice"]


def test_one_changed_byte_is_refused_with_the_reason(desk: Desk) -> None:
    out = desk.folder / "view.cbundle"
    desk.json(*desk.request("--out", out))
    raw = bytearray(out.read_bytes())
    raw[len(raw) // 2] ^= 1
    out.write_bytes(bytes(raw))
    assert desk.json("view", "verify", out, *desk.trust, code=1)["reason"] == "BUNDLE_MALFORMED"
    result = desk.run("view", "verify", out, *desk.trust)
    assert result.exit_code == 1
    assert "SHA-256" in result.stderr


def test_a_forged_view_names_the_check_that_failed(desk: Desk) -> None:
    out = desk.folder / "view.cbundle"
    desk.json(*desk.request("--out", out))
    other = Federation(desk.fake.at, name="other.concordat")
    save_bundle(other.bundle, desk.folder / "bundle.json")
    facts = desk.json("view", "verify", out, *desk.trust, code=1)
    assert facts["reason"] == "WRONG_FEDERATION"
    assert facts["checks"][-1]["name"] == "licences"
    assert facts["checks"][-1]["ok"] is False
    result = desk.run("view", "verify", out, *desk.trust)
    assert "FAILED" in result.stdout


def test_a_file_that_is_not_there_exits_with_2(desk: Desk) -> None:
    facts = desk.json("view", "verify", desk.folder / "none.cbundle", *desk.trust, code=2)
    assert "none.cbundle" in facts["advice"]


def test_brackets_in_a_name_are_shown_and_not_obeyed(desk: Desk) -> None:
    role, name = v1.Role.ROLE_PROVIDER, "[red]Ash"
    desk.fake.federation.enrol(ALDER, role, version=3, legal_name=name)
    assert name in desk.run(*desk.request()).output


# Wallet ----------------------------------------------------------------------------------------


def grant(desk: Desk, wallet: tuple[str, str], *options: object) -> Any:
    providers = [part for name in PROVIDERS for part in ("--provider", name)]
    return desk.json(
        "wallet", "grant", "--recipient", LENDER, *providers, "--yes", *wallet, *options
    )


def test_a_consent_given_is_one_that_a_lender_can_use(desk: Desk) -> None:
    arguments = desk.request()
    wallet = desk.wallet()
    grant(desk, wallet, "--out", desk.folder / "ada.consent")
    facts = desk.json(*arguments)
    assert facts["outcome"] == "complete"


def test_the_notice_is_shown_and_nothing_is_granted_without_a_yes(desk: Desk) -> None:
    wallet = desk.wallet()
    arguments = ("wallet", "grant", "--recipient", LENDER, "--provider", ALDER, *wallet)
    refused = desk.run(*arguments, stdin="n\n")
    assert refused.exit_code == 1
    assert "Who receives it: lendwell" in refused.stdout
    assert "NOT_AGREED" in refused.stderr
    assert "GrantConsent" not in desk.fake.seen
    assert desk.run(*arguments, stdin="y\n").exit_code == 0
    assert len(desk.fake.seen["GrantConsent"]) == 1


def test_a_notice_comes_in_the_language_asked_for(desk: Desk) -> None:
    wallet = desk.wallet()
    result = desk.run(
        *("wallet", "grant", "--recipient", LENDER, "--provider", ALDER, *wallet),
        *("--language", "zh-Hans", "--yes"),
    )
    assert result.exit_code == 0
    assert "信用信息披露同意书" in result.stdout


def test_a_revocation_tells_everyone_and_shows_who_holds_it(desk: Desk) -> None:
    wallet = desk.wallet()
    consent = grant(desk, wallet)["consent_id"]
    facts = desk.json("wallet", "revoke", consent, *wallet)
    assert facts["state"] == "revoked"
    assert [told["party"] for told in facts["told"]] == ["exchange", *PROVIDERS]
    assert all(told["acknowledged"] for told in facts["told"])


def test_a_revocation_that_did_not_reach_all_is_sent_again_as_it_was(desk: Desk) -> None:
    wallet = desk.wallet()
    consent = grant(desk, wallet)["consent_id"]
    desk.fake.refuse["SubmitConsentEvent"] = [Refusal(Reason.REASON_UNAVAILABLE)] * 4
    first = desk.json("wallet", "revoke", consent, *wallet, code=3)
    assert [told["acknowledged"] for told in first["told"]] == [False, True, True, True]
    assert desk.json("wallet", "revoke", consent[:20], *wallet)["ok"] is True
    events = {request.event.payload for request in desk.fake.seen["SubmitConsentEvent"]}
    assert len(events) == 1


def test_each_change_has_the_next_sequence_and_none_follows_a_revocation(desk: Desk) -> None:
    wallet = desk.wallet()
    consent = grant(desk, wallet)["consent_id"]
    for change in ("pause", "resume", "pause", "revoke"):
        desk.json("wallet", change, consent, *wallet)
    events = [
        v1.ConsentEvent.FromString(request.event.payload)
        for request in desk.fake.seen["SubmitConsentEvent"]
    ]
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert "for ever" in desk.json("wallet", "resume", consent, *wallet, code=2)["advice"]
    assert "no consent" in desk.json("wallet", "revoke", "ffff", *wallet, code=2)["advice"]


def test_nothing_is_resumed_that_was_not_paused(desk: Desk) -> None:
    wallet = desk.wallet()
    consent = grant(desk, wallet)["consent_id"]
    assert "not paused" in desk.json("wallet", "resume", consent, *wallet, code=2)["advice"]


def test_the_wallet_lists_what_the_exchange_holds_and_what_it_holds_itself(desk: Desk) -> None:
    wallet = desk.wallet()
    consent = grant(desk, wallet)["consent_id"]
    granted = desk.fake.seen["GrantConsent"][0].consent
    state = v1.ConsentState.CONSENT_STATE_ACTIVE
    desk.fake.consents = [v1.ConsentRecord(consent=granted, state=state, uses=1)]
    (line,) = desk.json("wallet", "list", *wallet)["consents"]
    assert (line["consent_id"], line["state"], line["uses"]) == (consent, "active", 1)
    (line,) = desk.json("wallet", "list", "--offline", *wallet)["consents"]
    assert (line["consent_id"], line["state"], line["uses"]) == (consent, "granted", None)
    assert LENDER in desk.run("wallet", "list", *wallet).stdout


def test_a_wallet_is_made_once_and_needs_binding(desk: Desk) -> None:
    option = ("--wallet", desk.folder / "wallet")
    desk.json("wallet", "new", *desk.trust, *option)
    assert "never overwritten" in desk.json("wallet", "new", *desk.trust, *option, code=2)["advice"]
    assert "wallet bind" in desk.json("wallet", "list", *option, code=2)["advice"]


def test_a_wrong_enrolment_code_is_refused_with_the_reason(desk: Desk) -> None:
    option = ("--wallet", desk.folder / "wallet")
    desk.json("wallet", "new", *desk.trust, *option)
    desk.fake.refuse["BindSubject"] = [Refusal(Reason.REASON_ENROLMENT_CODE_INVALID)]
    bind = ("wallet", "bind", "--identity-number", "1", "--enrolment-code", "x", *option)
    assert desk.json(*bind, code=1)["reason"] == "ENROLMENT_CODE_INVALID"


# Members ---------------------------------------------------------------------------------------


def test_members_are_listed_with_standing(desk: Desk) -> None:
    desk.fake.federation.suspend(ALDER)
    members = {m["member_id"]: m for m in desk.json("member", "list", *desk.trust)["members"]}
    assert members[ALDER]["standing"] == "suspended"
    assert members[LENDER]["roles"] == ["lender"]
    assert "suspended" in desk.run("member", "list", *desk.trust).stdout


def test_a_regulator_submits_a_status_file(desk: Desk) -> None:
    status = desk.fake.federation.status(ALDER, v1.Standing.STANDING_SUSPENDED)
    path = desk.folder / "status.env"
    path.write_bytes(status.SerializeToString())
    regulator = ("--member", desk.member(REGULATOR))
    facts = desk.json("member", "submit", path, *desk.trust, *regulator)
    assert facts["member_id"] == ALDER
    assert desk.fake.seen["SubmitLicenceStatus"][0].status == status


def test_a_regulator_submits_a_calibration(desk: Desk) -> None:
    calibration = desk.fake.federation.calibration(version=2)
    path = desk.folder / "v2.calibration"
    path.write_bytes(calibration.SerializeToString())
    regulator = ("--member", desk.member(REGULATOR))
    submitted = desk.run("member", "submit", path, *desk.trust, *regulator)
    assert "calibration version 2" in submitted.stdout
    assert desk.fake.seen["SubmitCalibration"][0].calibration == calibration


def test_a_statement_of_another_kind_is_not_submitted(desk: Desk) -> None:
    path = desk.folder / "consent.env"
    path.write_bytes(desk.fake.granted().envelope.SerializeToString())
    regulator = ("--member", desk.member(REGULATOR))
    facts = desk.json("member", "submit", path, *desk.trust, *regulator, code=2)
    assert "neither" in facts["advice"]
