"""A node in a process of its own, for tests that call it, stop it, or kill it."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import grpc

from concordat import v1
from concordat.rpc.channels import open_channel
from concordat.rpc.errors import from_rpc_error
from concordat.rpc.tls import TlsIdentity, member_channel
from concordat.v1.provider_service_pb2_grpc import ProviderServiceStub
from tests.builders import EXCHANGE
from tests.unit.provider.house import SELF, House

READY = re.compile(r"ready: members (\S+), subjects (\S+)\n")


class Running:
    """A node's process and how to call it."""

    def __init__(self, house: House) -> None:
        self.house = house
        # All that it says goes to a file: a pipe that nobody reads would hold it up once it is full.
        self.output = house.folder / f"node-{uuid4().hex}.log"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "provider.main", "serve", "--config", str(house.config)],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            found = READY.search(self._ready())
            self.members, self.public = found.groups() if found else ("", "")
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def _ready(self) -> str:
        for _ in range(1500):
            if " ready: " in (said := self.output.read_text()) and said.endswith("\n"):
                return said
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"the node does not serve:\n{self.output.read_text()}")

    def ask(self, *asks: v1.ScoreRequest, caller: str = EXCHANGE) -> list[v1.ScoreResult]:
        anchors = self.house.federation.anchors
        credentials = member_channel(TlsIdentity(*self.house.pki.issue(caller)), anchors)
        request = v1.RequestScoresRequest(requests=asks)
        with open_channel(self.members, credentials, anchors.server_name(SELF)) as channel:
            for _ in range(600):  # an answer comes at once; half a minute is for a busy machine
                try:
                    stub = ProviderServiceStub(channel)
                    return list(stub.RequestScores(request, timeout=30).results)
                except grpc.RpcError as error:
                    failure = from_rpc_error(error)
                    if failure.reason != v1.Reason.REASON_DIRECTORY_STALE:
                        raise failure from error
                    time.sleep(0.05)
        raise AssertionError("the node never heard of the directory")

    def kill(self) -> None:
        """End it as a loss of power would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


@contextmanager
def running(house: House) -> Iterator[Running]:
    node = Running(house)
    try:
        yield node
    finally:
        if node.process.poll() is None:
            node.kill()
