"""What each process of a sandbox runs and reads, and its database before the first start."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clients.pki import Pki
from clients.pki.files import TRUST_BUNDLE
from clients.sandbox import cast
from clients.sandbox.calibration import sign_calibration
from clients.sandbox.databases import Databases
from clients.sandbox.layout import Layout, Ports, Settings, merged, write_settings
from clients.sandbox.processes import ServerProcess, command, run_all

# What each kind of process says once it answers. Those that follow the exchange's directory refuse
# to answer before they have heard from it.
_READY, _FOLLOWS = r"(?m)^\S+ ready: ", r'"event": "member_stream_open"'
_SIGNS = {
    "exchange": (_READY,),
    "witness": (r'"event": "serving"',),
    "registrar": (r'"event": "serving"', _FOLLOWS),
    "provider": (_READY, _FOLLOWS),
}


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """Everything needed to write a process's settings and to run it."""

    layout: Layout
    ports: Mapping[str, Ports]  # of a witness and of the log: the first of the two is HTTP
    databases: Databases
    changes: Mapping[str, Settings]
    metrics: Mapping[str, str] = field(default_factory=dict)  # where each process's are read

    @property
    def processes(self) -> list[str]:
        """Who runs one, by member id."""
        return [member_id for member_id in self.ports if member_id != cast.LOG]

    def process(self, member_id: str, environment: dict[str, str]) -> ServerProcess:
        """Return the member's process, not started."""
        kind = kind_of(member_id)
        return ServerProcess(
            name=member_id,
            module=f"{kind}.main",
            config=self.layout.config(member_id),
            log=self.layout.log(member_id),
            signs=_SIGNS[kind] if self._talks(member_id) else (_READY,),
            environment=environment,
        )

    def settings(self, member_id: str, pki: Pki) -> Settings:
        """Return what its settings file is to say."""
        if kind_of(member_id) == "witness":
            return merged(self._witness_settings(member_id, pki), *self._changes(member_id))
        kind, keys, ports = kind_of(member_id), pki.member(member_id), self.ports[member_id]
        base = {
            "member_id": member_id,
            "trust_bundle": pki.folder / TRUST_BUNDLE,
            "signing_key": keys.signing_key,
            "tls_certificate": keys.tls_certificate,
            "tls_key": keys.tls_key,
            "member_listen": ports.member_address,
            "public_listen": ports.public_address,
            "database": self.databases.url(member_id),
            "metrics_listen": self.metrics.get(member_id, ""),
        }
        if kind == "registrar":
            base["identity"] = {"derivation_key": Path("derivation.key")}
        if member_id == cast.COURT:
            base["scores"] = {"source": "none"}
        if kind == "exchange":
            base["listings"] = {"profiles": cast.PROFILES}
            # Whoever tries a sandbox asks for the same few people again and again, at any hour.
            base["limits"] = {"act_on_signals": False}
            base["log"] = {
                "signing_key": pki.folder / "log.key",
                "listen": self.ports[cast.LOG].member_address,
                "witnesses": [
                    {"name": cast.witness_key_name(member), "url": f"http://{ports.member_address}"}
                    for member, ports in self.ports.items()
                    if kind_of(member) == "witness"
                ],
            }
        return merged(base, *self._changes(member_id))

    def _witness_settings(self, member_id: str, pki: Pki) -> Settings:
        return {
            "name": cast.witness_key_name(member_id),
            "signing_key": Path("signing.key"),
            "listen": self.ports[member_id].member_address,
            "database": "sqlite:///witness.sqlite",
            "metrics_listen": self.metrics.get(member_id, ""),
            "logs": [{"vkey": str(pki.anchors.log)}],
            "trust_bundle": pki.folder / TRUST_BUNDLE,
        }

    def _changes(self, member_id: str) -> tuple[Settings, Settings]:
        return self.changes.get(kind_of(member_id), {}), self.changes.get(member_id, {})

    def _talks(self, member_id: str) -> bool:
        """Tell whether it logs that it follows the directory; the registrar must, the court has no use for it."""
        if member_id == cast.COURT:
            return False
        level = merged({}, *self._changes(member_id)).get("log_level", "info")
        return level in {"info", "debug"} or kind_of(member_id) == "registrar"


def kind_of(member_id: str) -> str:
    """Return which program a member runs: "exchange", "registrar", "witness" or "provider"."""
    if member_id.startswith(cast.WITNESS):
        return "witness"
    return {cast.EXCHANGE: "exchange", cast.REGISTRAR: "registrar"}.get(member_id, "provider")


def write_all_settings(plan: ProcessPlan, pki: Pki) -> None:
    """Write the settings file of every process."""
    for member_id in plan.processes:
        write_settings(plan.layout.config(member_id), plan.settings(member_id, pki))


def initialise(plan: ProcessPlan, pki: Pki) -> None:
    """Make every database, with the ``init`` of each program, side by side.

    Providers' SQLite files are alike before the first start: one is made, the others are copied.
    """
    providers = [member for member in plan.processes if kind_of(member) == "provider"]
    witnesses = [member for member in plan.processes if kind_of(member) == "witness"]
    made = providers[:1] if plan.databases.files else providers
    run_all(
        [_init(plan, pki, member) for member in (cast.EXCHANGE, cast.REGISTRAR, *witnesses, *made)]
    )
    for member in providers[len(made) :]:
        shutil.copyfile(plan.layout.database(made[0]), plan.layout.database(member))


def _init(plan: ProcessPlan, pki: Pki, member_id: str) -> tuple[list[str], Path]:
    arguments: list[str | Path] = ["init", "--config", plan.layout.config(member_id)]
    if member_id == cast.EXCHANGE:
        for licence in sorted(pki.folder.glob("members/*/licence.env")):
            arguments += ["--licence", licence]
        arguments += ["--calibration", sign_calibration(pki)]
    module = f"{kind_of(member_id)}.main"
    return command(module, *arguments), plan.layout.log(member_id)
