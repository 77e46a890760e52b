"""Ports of a sandbox are its own before anybody listens on them."""

import subprocess
import sys
from pathlib import Path

from clients.sandbox.layout import Ports, free_ports

ROOT = Path(__file__).resolve().parents[4]
OTHER = "from clients.sandbox.layout import free_ports; print([p.member for p in free_ports(20)])"


def numbers(ports: list[Ports]) -> set[int]:
    return {number for each in ports for number in (each.member, each.public)}


def test_two_sandboxes_of_one_process_get_different_ports() -> None:
    one, other = numbers(free_ports(20)), numbers(free_ports(20))
    assert len(one) == len(other) == 40
    assert not one & other


def test_a_sandbox_of_another_process_gets_none_of_ours_before_we_listen() -> None:
    ours = numbers(free_ports(20))
    done = subprocess.run(
        [sys.executable, "-c", OTHER], cwd=ROOT, capture_output=True, check=True, text=True
    )
    theirs = {int(each) for each in done.stdout.strip("[]\n").split(",")}
    assert len(theirs) == 20
    assert not any(abs(port - other) < 40 for port in ours for other in theirs)


def test_ports_come_round_again_when_nobody_took_them() -> None:
    for _ in range(12):
        assert len(numbers(free_ports(20))) == 40
