"""Whether everything that the witness needs is there and fits together."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from concordat.settings import SettingsError
from concordat.store.engine import StoreError, open_engine, require_current
from concordat.store.exclusive import DatabaseInUseError, only_process
from concordat.trust.errors import KeyFileError
from witness import MIGRATIONS
from witness.serve import custody_anchors, require_logs, require_own_key, vkey_of
from witness.settings import WitnessSettings

PROBLEMS = (SettingsError, KeyFileError, StoreError)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    what: str
    ok: bool
    detail: str


def check(settings: WitnessSettings) -> Iterator[Finding]:
    """Yield a finding for each thing needed."""
    checks: dict[str, Callable[[WitnessSettings], str]] = {
        "signing key": _signing_key,
        "logs": _logs,
        "custody": _custody,
        "database": _database,
    }
    for what, look in checks.items():
        try:
            yield Finding(what, ok=True, detail=look(settings))
        except PROBLEMS as error:
            yield Finding(what, ok=False, detail=str(error))


def _signing_key(settings: WitnessSettings) -> str:
    key = vkey_of(settings, require_own_key(settings))
    path = settings.signing_key
    if path.stat().st_mode & 0o077:
        raise SettingsError(f"{path} can be read by others; run: chmod 600 {path}")
    return str(key)


def _logs(settings: WitnessSettings) -> str:
    return ", ".join(sorted({key.name for key in require_logs(settings)}))


def _custody(settings: WitnessSettings) -> str:
    if settings.trust_bundle is None:
        return "none: no trust_bundle is set"
    anchors = custody_anchors(settings, require_own_key(settings))
    return f"notices of {anchors.federation}" if anchors else ""


def _database(settings: WitnessSettings) -> str:
    try:
        with only_process(settings.database):
            engine = open_engine(settings.database)
            try:
                require_current(engine, MIGRATIONS)
            finally:
                engine.dispose()
    except DatabaseInUseError:
        return "in use by a running witness"
    return "at the newest schema"
