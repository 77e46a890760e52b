"""A federation in processes of its own, from nothing to answering in a few seconds."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from clients.pki import Endpoints, Pki, WitnessTerms
from clients.sandbox import cast, scores
from clients.sandbox.databases import SQLITE, Databases
from clients.sandbox.layout import Layout, Settings, free_ports, metrics_addresses
from clients.sandbox.parties import Parties
from clients.sandbox.processes import ServerProcess
from clients.sandbox.set_up import ProcessPlan, initialise, write_all_settings
from concordat.trust.keys import Ed25519Signer
from concordat.trust.note import COSIGNATURE_V1, VerifierKey

Say = Callable[[str], None]


def say_nothing(_line: str) -> None:
    """Tell nobody."""


class Sandbox(Parties):
    """A federation on loopback: exchange, registrar and providers; on leaving, all are stopped.

        with Sandbox(providers=3, scores=True) as sandbox:
            person, = sandbox.enrol(["SBA-1000104006"])
            view = sandbox.lender().request_view(person.consent(sandbox.provider_ids))

    ``witnesses`` is how many cosign the log; more than half of them must. ``scores`` is True for the
    real ones, False for none, or a CSV file for each provider's id.
    ``settings`` changes the settings files, by member id or by kind ("exchange", "registrar",
    "provider"); ``provider_overrides`` changes entries of ``providers.json``, by member id.
    Providers file debts too, and ``listing_profile`` has the time limits: "sandbox", whose notice period
    ends after seconds, or a jurisdiction's, such as "us". With ``court`` the court has a process too.
    ``database`` is "sqlite" or the URL of a PostgreSQL server that may make databases. ``say`` gets a
    line as each stage begins; ``prepared`` is called when all is initialised and nothing has started yet.
    A ``folder`` that is given is kept; one that is not is removed.
    """

    def __init__(  # noqa: PLR0913 - one call says all that a sandbox is
        self,
        *,
        providers: int = 8,
        witnesses: int = 0,
        court: bool = False,
        listing_profile: str = cast.LISTING_PROFILE,
        scores: bool | Mapping[str, Path] = False,
        folder: Path | None = None,
        database: str = SQLITE,
        provider_overrides: Mapping[str, Mapping[str, Any]] | None = None,
        settings: Mapping[str, Settings] | None = None,
        environment: Mapping[str, str] | None = None,
        say: Say = say_nothing,
        prepared: Callable[["Sandbox"], None] | None = None,
    ) -> None:
        """Plan it; entering starts it."""
        self.providers = cast.read_providers(providers, provider_overrides)
        super().__init__(Layout((folder or Path(tempfile.mkdtemp(prefix="concordat-"))).resolve()))
        self._keep_folder = folder is not None
        self._scores = scores
        self._listing_profile = listing_profile
        self._say = say
        self._prepared = prepared
        self.witness_ids = [f"{cast.WITNESS}-{number}" for number in range(1, witnesses + 1)]
        self._furnisher_ids = [*self.provider_ids, *([cast.COURT] if court else [])]
        members = [*self.witness_ids, cast.EXCHANGE, cast.REGISTRAR, *self._furnisher_ids]
        listening = [*members, cast.LOG]
        self.ports = dict(zip(listening, free_ports(len(listening)), strict=True))
        self.databases = Databases(database, self.layout, members)
        self.metrics = dict(zip(members, metrics_addresses(len(members)), strict=True))
        self._plan = ProcessPlan(
            self.layout, self.ports, self.databases, settings or {}, self.metrics
        )
        self.processes: dict[str, ServerProcess] = {
            member: self._plan.process(member, dict(environment or {})) for member in members
        }
        self.rows_loaded: dict[str, int] = {}  # by provider

    # Starting and stopping ---------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self.prepare()
            if self._prepared is not None:
                self._prepared(self)
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def prepare(self) -> None:
        """Make keys, licences, settings files and databases."""
        self._say("making keys and licences")
        self._pki = Pki.create(
            self.layout.pki,
            federation=cast.FEDERATION,
            exchange_id=cast.EXCHANGE,
            registrar_id=cast.REGISTRAR,
            endpoints=Endpoints(
                exchange=self.ports[cast.EXCHANGE].member_address,
                exchange_public=self.ports[cast.EXCHANGE].public_address,
                registrar=self.ports[cast.REGISTRAR].member_address,
                registrar_public=self.ports[cast.REGISTRAR].public_address,
                log=f"http://{self.ports[cast.LOG].member_address}",
            ),
            witnesses=self._witness_terms(),
        )
        cast.licence_everyone(self._pki, self.providers, self.ports, self._listing_profile)
        write_all_settings(self._plan, self._pki)
        self._say("initialising databases")
        self.databases.create()
        initialise(self._plan, self._pki)

    def start(self) -> None:
        """Start every process, load the scores, and return when all of them answer."""
        self._say("starting the exchange and the registrar")
        self._start(*self.witness_ids, cast.EXCHANGE, cast.REGISTRAR)
        if self._scores:
            self._say("loading scores")
            self.rows_loaded = scores.load_all(self.layout, self._score_files())
        self._say(f"starting {len(self.providers)} providers")
        self._start(*self._furnisher_ids)

    def stop(self) -> None:
        """Stop every process gently, all at once."""
        for process in self.processes.values():
            process.ask_to_stop()
        for process in self.processes.values():
            process.stop()

    def close(self) -> None:
        """Stop everything; remove the folder unless it was given."""
        self.close_clients()
        self.stop()
        if self._pki is not None:
            self.databases.drop()
        if not self._keep_folder:
            shutil.rmtree(self.layout.folder, ignore_errors=True)

    def process(self, member_id: str) -> ServerProcess:
        """Return a member's process: to kill, pause, resume, restart."""
        return self.processes[member_id]

    def log_tails(self, lines: int = 5) -> str:
        """Return the end of every process's log."""
        return "\n".join(process.log_tail(lines) for process in self.processes.values())

    @property
    def provider_ids(self) -> list[str]:
        """The providers' member ids."""
        return [provider.member_id for provider in self.providers]

    def _witness_terms(self) -> WitnessTerms:
        """Make each witness's key, where its process will look for it."""
        keys = []
        for member_id in self.witness_ids:
            folder = self.layout.member(member_id)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            signer = Ed25519Signer.generate()
            signer.save(folder / "signing.key", None)
            name = cast.witness_key_name(member_id)
            keys.append(str(VerifierKey(name, COSIGNATURE_V1, signer.public_key)))
        urls = [f"http://{self.ports[member].member_address}" for member in self.witness_ids]
        return WitnessTerms(keys, len(keys) // 2 + 1 if keys else 0, urls)

    def _start(self, *member_ids: str) -> None:
        for member_id in member_ids:
            self.processes[member_id].start()
        for member_id in member_ids:
            self.processes[member_id].wait_ready()

    def _score_files(self) -> dict[str, Path]:
        if isinstance(self._scores, Mapping):
            return dict(self._scores)
        return {provider.member_id: provider.scores for provider in self.providers}
