"""TLS certificates, as OpenSSL sees them."""

import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from clients.pki import CertificateAuthority, Pki

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="the openssl command is not installed")


def openssl(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def verify(pki: Pki, certificate: Path, at: datetime, *more: str) -> bool:
    authority = pki.folder / "ca" / "ca.crt"
    moment = str(int(at.timestamp()))
    done = openssl(
        "verify", "-x509_strict", "-attime", moment, "-CAfile", authority, *more, certificate
    )
    return done.returncode == 0


@needs_openssl
@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_openssl_accepts_the_chain(pki: Pki, clock: Callable[[], datetime], purpose: str) -> None:
    files = pki.add_member("bank")
    assert verify(pki, files.tls_certificate, clock(), "-purpose", purpose)


@needs_openssl
def test_openssl_reads_one_uri_one_name_and_both_usages(pki: Pki) -> None:
    files = pki.add_member("bank")
    text = openssl("x509", "-in", files.tls_certificate, "-noout", "-text").stdout
    assert re.findall(r"URI:\S+", text) == ["URI:spiffe://test.concordat/member/bank,"]
    assert re.findall(r"DNS:\S+", text) == ["DNS:bank.test.concordat"]
    assert "TLS Web Server Authentication, TLS Web Client Authentication" in text
    assert "X509v3 Key Usage: critical\n                Digital Signature\n" in text
    assert "NIST CURVE: P-256" in text


@needs_openssl
def test_the_authority_may_issue_no_authorities(pki: Pki) -> None:
    text = openssl("x509", "-in", pki.folder / "ca" / "ca.crt", "-noout", "-text").stdout
    assert "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0" in text
    assert "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign" in text


@needs_openssl
def test_an_expired_certificate_is_refused(
    pki: Pki, clock: Callable[[], datetime], tmp_path: Path
) -> None:
    identity = pki.issue_certificate("bank", not_after=clock() - timedelta(minutes=1))
    (tmp_path / "old.crt").write_bytes(identity.certificate)
    assert not verify(pki, tmp_path / "old.crt", clock())
    assert verify(pki, tmp_path / "old.crt", clock() - timedelta(minutes=3))


@needs_openssl
def test_a_certificate_of_another_authority_is_refused(
    pki: Pki, clock: Callable[[], datetime], tmp_path: Path
) -> None:
    foreign = CertificateAuthority.create("test.concordat", clock(), days=30)
    identity = pki.issue_certificate("bank", authority=foreign)
    (tmp_path / "foreign.crt").write_bytes(identity.certificate)
    assert not verify(pki, tmp_path / "foreign.crt", clock())


@needs_openssl
def test_a_certificate_is_accepted_by_a_peer_whose_clock_is_slow(
    pki: Pki, clock: Callable[[], datetime]
) -> None:
    files = pki.add_member("bank")
    assert verify(pki, files.tls_certificate, clock() - timedelta(minutes=3))


def test_serial_numbers_differ(pki: Pki) -> None:
    first, second = (pki.issue_certificate("bank").certificate for _ in range(2))
    assert first != second
