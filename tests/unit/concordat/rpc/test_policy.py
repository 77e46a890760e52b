"""The method policy has a row for every RPC, and says what the protos' comments say."""

import re
from pathlib import Path

import pytest

from concordat.rpc.policy import POLICY, Port
from concordat.v1 import Role
from tests.attacks.ports import every_method

PROTOS = Path(__file__).parents[4] / "protos" / "concordat" / "v1"
RPC = re.compile(r"((?:^ *//.*\n)+)^ *rpc (\w+)\(", re.MULTILINE)


def test_every_rpc_has_a_row_and_every_row_an_rpc() -> None:
    assert set(POLICY) == set(every_method())


def test_every_row_is_reachable_on_some_port() -> None:
    assert all(row.ports for row in POLICY.values())


def test_only_probes_and_watches_go_without_a_deadline() -> None:
    endless = {path for path, row in POLICY.items() if not row.deadline}
    contract = {path for path in endless if path.startswith("/concordat.")}
    assert contract == {
        "/concordat.v1.MemberService/WatchMembers",
        "/concordat.v1.RegistrarService/WatchBindings",
        "/concordat.v1.LenderService/WatchChanges",
    }


def documented() -> dict[str, str]:
    """What follows "Caller:" in each rpc's comment, by path."""
    found: dict[str, str] = {}
    for file in PROTOS.glob("*_service.proto"):
        text = file.read_text("utf-8")
        starts = [
            (m.start(), m.group(1)) for m in re.finditer(r"^service (\w+)", text, re.MULTILINE)
        ]
        for comment, rpc in ((m.group(1), m) for m in RPC.finditer(text)):
            service = [name for start, name in starts if start < rpc.start()][-1]
            words = " ".join(comment.replace("//", " ").split())
            caller = re.search(r"Caller: (.*)", words)
            found[f"/concordat.v1.{service}/{rpc.group(2)}"] = caller.group(1) if caller else ""
    return found


DOCUMENTED = documented()


def test_the_comments_of_all_services_were_read() -> None:
    assert set(DOCUMENTED) == {path for path in POLICY if path.startswith("/concordat.")}


@pytest.mark.parametrize("path", [path for path, caller in DOCUMENTED.items() if caller])
def test_the_comment_in_the_proto_names_the_roles_of_the_row(path: str) -> None:
    sentence = DOCUMENTED[path].split(". ")[0]
    roles = {Role.Value(name) for name in re.findall(r"ROLE_[A-Z]+", sentence)}
    row = POLICY[path]
    assert row.roles == roles
    if not roles:
        licensed = "licensed" in sentence
        assert (Port.PUBLIC in row.ports) != licensed
        assert licensed or "anyone" in sentence


def test_methods_of_subjects_are_on_the_public_port_alone() -> None:
    for path, row in POLICY.items():
        if Port.PUBLIC in row.ports:
            assert not row.roles, path  # nobody's certificate is asked for there
