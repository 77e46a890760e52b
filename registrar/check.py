"""Whether everything that the registrar needs is there and fits together."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from concordat.federation.anchors import Anchors, TrustBundleError, load_anchors
from concordat.rpc.tls import TlsFileError, TlsIdentity
from concordat.rpc.tls_check import require_certificate
from concordat.settings import SettingsError
from concordat.store.engine import StoreError, open_engine, require_current
from concordat.store.exclusive import DatabaseInUseError, only_process
from concordat.trust.errors import KeyFileError
from registrar import MIGRATIONS
from registrar.derivation import load_key
from registrar.serve import require_own_key
from registrar.settings import RegistrarSettings

PROBLEMS = (SettingsError, TrustBundleError, KeyFileError, TlsFileError, StoreError)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    what: str
    ok: bool
    detail: str


def check(settings: RegistrarSettings) -> Iterator[Finding]:
    """Yield a finding for each thing needed; what hangs on the trust bundle waits for it."""
    try:
        anchors = load_anchors(settings.trust_bundle)
    except TrustBundleError as error:
        yield Finding("trust bundle", ok=False, detail=str(error))
        return
    yield Finding("trust bundle", ok=True, detail=anchors.federation)
    checks: dict[str, Callable[[], str]] = {
        "signing key": lambda: _signing_key(settings, anchors),
        "TLS certificate": lambda: _certificate(settings, anchors),
        "derivation key": lambda: _derivation_key(settings),
        "database": lambda: _database(settings),
    }
    for what, look in checks.items():
        try:
            yield Finding(what, ok=True, detail=look())
        except PROBLEMS as error:
            yield Finding(what, ok=False, detail=str(error))


def _signing_key(settings: RegistrarSettings, anchors: Anchors) -> str:
    require_own_key(anchors, settings)
    return "the trust bundle's registrar key"


def _certificate(settings: RegistrarSettings, anchors: Anchors) -> str:
    identity = TlsIdentity.load(settings.tls_certificate, settings.tls_key)
    certificate = require_certificate(identity, anchors, settings.member_id, datetime.now(UTC))
    return f"of {settings.member_id}, valid until {certificate.not_valid_after_utc:%Y-%m-%d}"


def _derivation_key(settings: RegistrarSettings) -> str:
    path = settings.identity.derivation_key
    load_key(path)
    if path.stat().st_mode & 0o077:
        raise SettingsError(f"{path} can be read by others; run: chmod 600 {path}")
    return str(path)


def _database(settings: RegistrarSettings) -> str:
    try:
        with only_process(settings.database):
            engine = open_engine(settings.database)
            try:
                require_current(engine, MIGRATIONS)
            finally:
                engine.dispose()
    except DatabaseInUseError:
        return "in use by a running registrar"
    return "at the newest schema"
