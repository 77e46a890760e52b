"""Certificates that are to sign nobody in at the regulator's desk, shown over real TLS; and those that do."""

import ssl
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clients.console.desk.tls import HANDSHAKES
from clients.pki.officer_certificates import issue_officer_certificate
from concordat import v1
from concordat.trust.keys import key_id
from tests.builders import LENDER, REGULATOR, signer
from tests.case_builders import approver_keys
from tests.desk_builders import OFFICERS
from tests.desk_tls_builders import REFUSED, TlsHouse, pem, shown
from tests.page_client import PageClient

ADA, BOB = OFFICERS[:2]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[TlsHouse]:
    with TlsHouse(tmp_path) as house:
        yield house


def told(house: TlsHouse, act: str) -> str:
    """Return the outcome of an act, once it stands in the journal: a handshake's comes from another thread."""
    for _ in range(200):
        found = [each.outcome for each in house.office.journal.read() if each.act == act]
        if found:
            return found[-1]
        time.sleep(0.01)
    raise AssertionError(f"no {act} in the journal")


def refused_on_the_page(house: TlsHouse, browser: PageClient, why: str) -> None:
    """The page says why, the form does not let in, and the journal has it."""
    assert why in browser.see("/sign-in").text
    assert 'action="/sign-in/certificate"' not in browser.see("/sign-in").text
    assert told(house, "sign-in") == f"refused: {why}"
    answer = browser.submit("/sign-in/certificate")
    assert answer.status_code == 403
    assert why in answer.text
    assert browser.get("/cases").headers["location"] == "/sign-in"


# What signs in ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "role"), [(ADA, "approver-1"), (REGULATOR, "desk")])
def test_a_certificate_signs_its_officer_in_and_every_act_names_it(
    house: TlsHouse, name: str, role: str
) -> None:
    held = house.certificate(name)
    browser = house.signed_in(held)
    serial = x509.load_pem_x509_certificate(held).serial_number
    assert f"{serial:x}" in browser.get("/sign-in").text
    browser.submit("/sign-out")
    acts = house.office.journal.read()
    assert [each.act for each in acts] == ["sign-in", "sign-out"]
    expected = (role, key_id(signer(name).public_key), f"certificate {serial:x}")
    assert {(each.role, each.key_id, each.how) for each in acts} == {expected}


def test_the_cookie_of_an_encrypted_page_stays_on_encrypted_ones(house: TlsHouse) -> None:
    browser = house.stranger()
    answer = browser.get(house.site.issue_link(""))
    (cookie,) = answer.headers.get_list("set-cookie")
    assert "; Secure" in cookie


def test_a_challenge_signs_in_without_a_certificate(house: TlsHouse) -> None:
    browser = house.browser()
    assert "shows no certificate" in browser.see("/sign-in").text
    assert browser.submit("/sign-in/certificate").status_code == 403
    assert house.sign_in(browser, ADA).status_code == 303
    assert house.office.journal.read()[-1].how == "challenge"


def test_nothing_older_than_tls_1_3_is_spoken(house: TlsHouse) -> None:
    old = ssl.create_default_context(cadata=house.pki.ca_pem)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with PageClient(house.site, house.home, old) as browser, pytest.raises(REFUSED):
        browser.get("/")


# Certificates that the handshake lets through, and the page does not ------------------------------


def test_a_certificate_for_another_desk_does_not_sign_in(house: TlsHouse) -> None:
    other = shown(issue_officer_certificate(signer(ADA), "other@elsewhere", house.now(), 9))
    refused_on_the_page(house, house.browser(other), "That certificate is for another desk")


def test_an_expired_certificate_does_not_sign_in(house: TlsHouse) -> None:
    old = house.certificate(ADA, house.now() - timedelta(days=9), days=9)
    refused_on_the_page(house, house.browser(old), "That certificate has expired")


def test_a_certificate_that_expires_ends_its_session(house: TlsHouse) -> None:
    browser = house.signed_in(house.certificate(ADA, house.now() - timedelta(hours=23), days=1))
    house.later(minutes=14)
    assert browser.get("/cases").status_code == 200
    answers = []
    for _ in range(4):
        house.later(minutes=14)
        answers.append(browser.get("/cases"))
    assert [each.status_code for each in answers] == [200, 200, 200, 403]
    assert told(house, "signed-out") == "refused: That certificate has expired"


def test_a_key_that_the_licence_loses_ends_the_session_of_its_certificate(house: TlsHouse) -> None:
    held = house.certificate(ADA)
    browser = house.signed_in(held)
    left = [each for each in approver_keys(house.federation) if each.public_key != key_of(ADA)]
    role = v1.Role.ROLE_REGULATOR
    house.federation.enrol(REGULATOR, role, version=3, approvers=left)
    answer = browser.get("/cases")
    assert answer.status_code == 403
    assert "No key of the licence issued that certificate" in answer.text
    refused_on_the_page(house, browser, "No key of the licence issued that certificate")
    signed_out = next(each for each in house.office.journal.read() if each.act == "signed-out")
    assert signed_out.about == key_id(key_of(ADA))


def test_a_suspended_regulator_has_no_officers(house: TlsHouse) -> None:
    browser = house.signed_in(house.certificate(ADA))
    house.federation.suspend(REGULATOR)
    assert browser.get("/cases").status_code == 409


# A cookie that somebody took ------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, BOB, ADA])
def test_a_cookie_without_the_certificate_that_signed_in_ends_the_session(
    house: TlsHouse, name: str | None
) -> None:
    browser = house.signed_in(house.certificate(ADA))
    thief = house.stranger(house.certificate(name) if name else None)  # Ada's own other one, too
    thief.cookies = browser.cookies
    thief.csrf = browser.csrf
    answer = thief.submit("/colleague")
    assert answer.status_code == 403
    assert "without the certificate that you signed in with" in answer.text
    assert told(house, "signed-out").startswith("refused: That request came without")
    for each in (thief, browser):
        assert each.get("/cases").headers["location"] == "/sign-in"


def test_a_header_that_tells_of_a_certificate_is_none(house: TlsHouse) -> None:
    browser = house.browser()
    held = house.certificate(ADA).decode().replace("\n", "%0A")
    for name in ("x-client-cert", "x-ssl-client-cert", "x-forwarded-client-cert"):
        assert "shows no certificate" in browser.see("/sign-in", **{name: held}).text


# Certificates that the handshake itself refuses --------------------------------------------------


def strangers(house: TlsHouse) -> bytes:
    made = issue_officer_certificate(signer(LENDER), house.office.desk, house.now(), 9)
    return shown(made)


def members(house: TlsHouse) -> bytes:
    return b"".join(house.pki.issue(REGULATOR))


def issued_by_a_certificate(house: TlsHouse) -> bytes:
    """Ada's certificate issues another, with all that a certificate of hers has."""
    hers = issue_officer_certificate(signer(ADA), house.office.desk, house.now(), 9)
    key = ec.generate_private_key(ec.SECP256R1())
    by_hers = x509.AuthorityKeyIdentifier.from_issuer_public_key(hers.private_key.public_key())
    builder = copied(hers.certificate, key, hers.certificate.subject, by_hers)
    return pem(key, builder.sign(hers.private_key, hashes.SHA256()), hers.certificate)


def in_her_keys_name(house: TlsHouse) -> bytes:
    """Another key signs, and says that it was Ada's."""
    hers = issue_officer_certificate(signer(ADA), house.office.desk, house.now(), 9)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = copied(hers.certificate, key, hers.certificate.issuer)
    return pem(key, signer(LENDER).certify(builder))


def copied(
    like: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    by: x509.AuthorityKeyIdentifier | None = None,
) -> x509.CertificateBuilder:
    """Return a certificate to be signed that has all that another has, but its key and issuer."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "another")]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(like.not_valid_before_utc)
        .not_valid_after(like.not_valid_after_utc)
    )
    for each in like.extensions:
        is_issuers = isinstance(each.value, x509.AuthorityKeyIdentifier)
        builder = builder.add_extension(by if by and is_issuers else each.value, each.critical)
    return builder


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        (strangers, "no key of the licence issued it"),
        (members, "no key of the licence issued it"),
        (issued_by_a_certificate, "what issued it may issue none"),
        (in_her_keys_name, "its signature is not that of the key it names"),
    ],
)
def test_a_certificate_of_no_officers_key_opens_no_connection(
    house: TlsHouse, forged: Callable[[TlsHouse], bytes], why: str
) -> None:
    browser = house.stranger(forged(house))
    begun = time.monotonic()
    with pytest.raises(REFUSED, match="alert"):
        browser.get(house.site.issue_link(""))
    assert time.monotonic() - begun < 5
    assert told(house, "handshake") == f"refused: {why}"
    assert house.browser().see("/sign-in").status_code == 200  # and others are served as before


def test_refused_handshakes_do_not_fill_the_journal(house: TlsHouse) -> None:
    wrong = house.stranger(strangers(house))
    for _ in range(30):
        with pytest.raises(REFUSED):
            wrong.get("/")
    told(house, "handshake")
    assert len(house.office.journal.read()) <= HANDSHAKES.most


def test_an_approver_who_was_licensed_a_moment_ago_is_let_in_at_the_second_try(
    house: TlsHouse,
) -> None:
    held = house.certificate("a new officer")
    with pytest.raises(REFUSED):
        house.stranger(held).get(house.site.issue_link(""))
    role, key = v1.Role.ROLE_REGULATOR, approver_keys(house.federation)[0]
    new = v1.SigningKey()
    new.CopyFrom(key)
    new.public_key = key_of("a new officer")
    keys = [*approver_keys(house.federation)[1:], new]
    house.federation.enrol(REGULATOR, role, version=3, approvers=keys)
    house.tls.learn()
    assert house.signed_in(held).get("/cases").status_code == 200


def key_of(name: str) -> bytes:
    return signer(name).public_key
