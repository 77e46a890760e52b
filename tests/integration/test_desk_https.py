"""The desk over HTTPS in a process of its own, and an officer's certificate as its commands make it."""

import json
import re
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from clients.pki.officer_certificates import OfficerCertificate
from clients.sandbox import Sandbox
from clients.sandbox.cast import REGULATOR
from clients.sandbox.console import ServedPage
from tests.builders import Pki
from tests.desk_tls_builders import shown

pytestmark = [pytest.mark.timeout(120), pytest.mark.slow]


def certificate(sandbox: Sandbox, folder: Path) -> Path:
    """Make an approver's certificate by the command; return key and certificate as TLS takes them."""
    (folder / "passphrase").write_text("a passphrase of some length\n")
    files = sandbox.pki.member(REGULATOR)
    typed: list[str | Path]
    typed = ["regulator", "officer-certificate", "--key", files.approver_key(1), "--json"]
    typed += ["--trust-bundle", sandbox.trust_bundle, "--regulator", REGULATOR]
    typed += ["--out", folder / "o.p12", "--out-passphrase-file", folder / "passphrase"]
    program = Path(sys.executable).parent / "concordat"
    done = subprocess.run([program, *typed], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["ok"]
    raw = (folder / "o.p12").read_bytes()
    key, found, _ = pkcs12.load_key_and_certificates(raw, b"a passphrase of some length")
    (folder / "held.pem").write_bytes(shown(OfficerCertificate(found, key)))  # type: ignore[arg-type]  # P-256
    return folder / "held.pem"


def test_an_officer_signs_in_with_the_certificate_that_the_command_made(tmp_path: Path) -> None:
    pki, tls = Pki(), (tmp_path / "desk.crt", tmp_path / "desk.key")
    for path, content in zip(tls, pki.issue("desk"), strict=True):
        path.write_bytes(content)
    context = ssl.create_default_context(cadata=pki.ca_pem)
    with Sandbox(providers=1, folder=tmp_path / "box") as sandbox:
        context.load_cert_chain(certificate(sandbox, tmp_path))
        member = sandbox.pki.member(REGULATOR).folder
        state: list[str | Path]
        state = ["--state", tmp_path / "state", "--trust-bundle", sandbox.trust_bundle]
        state += ["--tls-certificate", tls[0], "--tls-key", tls[1]]
        with (
            ServedPage(["regulator", "desk", "--member", member, *state]) as desk,
            httpx.Client(base_url=desk.link.partition("/open/")[0], verify=context) as officer,
        ):
            assert officer.get(desk.link).status_code == 200
            token = re.search(r'name="csrf" value="([\w-]+)"', officer.get("/sign-in").text)
            assert token is not None
            own = {"origin": str(officer.base_url).rstrip("/"), "sec-fetch-site": "same-origin"}
            form = {"csrf": token[1]}
            answer = officer.post("/sign-in/certificate", data=form, headers=own)
            assert answer.headers["location"] == "/", answer.text
            assert officer.get("/members").status_code == 200
    lines = (tmp_path / "state/journal.jsonl").read_text().splitlines()
    acts = [json.loads(line) for line in lines]
    assert [(each["act"], each["role"]) for each in acts] == [("sign-in", "approver-1")]
    assert acts[0]["how"].startswith("certificate ")
