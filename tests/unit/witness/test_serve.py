"""The process on its port: what it answered outlives whatever kills it."""

import http.client
import json
import logging
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog

from concordat.rpc.logs import configure_logs
from concordat.trust.checkpoint import open_checkpoint
from tests.unit.witness.desk import Log
from tests.unit.witness.house import ROOT, House, Process
from witness.serve import _hand_on_warnings


@pytest.fixture
def house(tmp_path: Path, log: Log) -> House:
    return House(tmp_path, log)


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    started: list[Process] = []
    yield started
    for process in started:
        process.kill()


@pytest.mark.slow
def test_what_was_answered_outlives_a_kill(
    house: House, log: Log, processes: list[Process]
) -> None:
    witness = house.init()
    size = 0
    for _ in range(2):
        processes.append(process := house.serve())
        assert process.post(log.request(size, size + 3)).status_code == 200
        answer = process.post(log.request(size + 3, size + 6))
        assert answer.status_code == 200, answer.text
        size += 6
        process.kill()
        processes.append(again := house.serve())
        shown = again.shown(log).content
        assert shown == log.note(size) + answer.content
        assert open_checkpoint(shown, log.vkey, [witness], 1).size == size
        assert again.post(log.request(size - 3, size + 3)).text == f"{size}\n"
        assert again.post(log.fork(size - 1).request(size, size)).status_code == 409
        assert again.post(log.fork(size - 1).request(size, size + 3)).status_code == 422
        again.kill()


@pytest.mark.slow
def test_a_kill_between_a_commit_and_its_answer_loses_nothing_that_was_answered(
    house: House, log: Log, processes: list[Process]
) -> None:
    witness = house.init()
    dice = random.Random(11)
    answered = 0
    for _ in range(3):
        processes.append(process := house.serve())
        known = int(process.post(log.request(answered + 2, answered + 2)).text)
        assert known in {answered, answered + 1}  # one was kept before the kill, answered never
        answered = known
        threading.Timer(dice.uniform(0.2, 0.5), process.popen.kill).start()
        with httpx.Client(base_url=process.url, trust_env=False) as client:
            while True:
                try:
                    body = log.request(answered, answered + 1)
                    answer = client.post("/add-checkpoint", content=body)
                except httpx.TransportError:
                    break
                assert answer.status_code == 200, answer.text
                answered += 1
        process.kill()
    processes.append(process := house.serve())
    kept = open_checkpoint(process.shown(log).content, log.vkey, [witness], 1)
    assert kept.size in {answered, answered + 1}
    assert kept.checkpoint == log.checkpoint(kept.size)


def test_a_stop_signal_lets_a_request_finish_and_ends_with_code_0(
    house: House, log: Log, processes: list[Process]
) -> None:
    house.init()
    processes.append(process := house.serve())
    body = log.request(0, 5)
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
    connection.putrequest("POST", "/add-checkpoint")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:10])
    time.sleep(0.2)
    process.popen.terminate()
    time.sleep(0.3)
    connection.send(body[10:])
    answer = connection.getresponse()
    assert (answer.status, answer.read().count(b"\n")) == (200, 1)
    connection.close()
    assert process.stop() == 0
    events = [json.loads(line)["event"] for line in process.log]
    assert events == ["serving", "stopping", "cosigned"]


@pytest.mark.slow
def test_what_is_no_http_is_a_line_in_the_log_and_no_traceback(
    house: House, log: Log, processes: list[Process]
) -> None:
    house.init()
    processes.append(process := house.serve())
    for sent in (b"\x16\x03\x01 hello\r\n\r\n", b"POST /add-checkpoint HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", process.port), 5) as connection:
            connection.sendall(sent)
            assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")
    with socket.create_connection(("127.0.0.1", process.port), 5) as connection:  # and hang up
        connection.sendall(
            b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 9\r\n\r\nold"
        )
    assert process.post(log.request(0, 5)).status_code == 200
    assert process.stop() == 0
    lines = [json.loads(line) for line in process.log]
    assert {line["process"] for line in lines} == {"witness"}
    assert [line["level"] for line in lines if line["event"] == "http_server"] == ["warning"] * 2
    assert "Traceback" not in "".join(process.log)


@pytest.mark.slow
def test_a_body_that_is_too_long_is_cut_off(
    house: House, log: Log, processes: list[Process]
) -> None:
    house.init()
    processes.append(process := house.serve())
    assert process.post(bytes(131_073)).status_code == 413
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
    connection.putrequest("POST", "/add-checkpoint")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders(bytes(131_073))
    assert connection.getresponse().status == 413
    connection.close()
    assert process.post(log.request(0, 5)).status_code == 200


@pytest.mark.slow
def test_connections_are_kept_alive(house: House, log: Log, processes: list[Process]) -> None:
    house.init()
    processes.append(process := house.serve())
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
    connection.connect()
    used = connection.sock
    for old, new in ((0, 5), (0, 9), (5, 9)):
        connection.request("POST", "/add-checkpoint", log.request(old, new))
        answer = connection.getresponse()
        assert answer.status in {200, 409}
        answer.read()
        assert connection.sock is used
    connection.close()


@pytest.mark.slow
def test_only_one_process_uses_the_database(house: House, processes: list[Process]) -> None:
    house.init()
    processes.append(house.serve())
    for command in ("serve", "init"):
        second = house.run(command)
        assert second.returncode == 1
        assert "another process" in second.stderr
    found = house.run("check")
    assert found.returncode == 0, found.stdout
    assert "in use by a running witness" in found.stdout


def test_an_error_of_a_library_is_one_line_with_its_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("witness", "info")
    _hand_on_warnings()
    fault = LookupError("a fault of ours")
    logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=fault)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["detail"]) == ("http_server", "Exception in ASGI application")
    assert "LookupError: a fault of ours" in said["exception"]


@pytest.mark.slow
def test_a_witness_starts_without_grpc() -> None:
    script = "import sys, witness.main; sys.exit('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=ROOT).returncode == 0
