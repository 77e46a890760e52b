"""The demo: a federation from its first licence to a view that anyone can verify offline."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel

from clients.cli import render
from clients.cli.own_report_json import own_report_facts
from clients.cli.view_json import view_facts
from clients.cli.wallet_report import report_parts
from clients.sandbox import demo_cases, demo_log, demo_offline, demo_tables
from clients.sandbox.demo_listings import ListingStory
from clients.sandbox.demo_refusals import Tried, four_refusals, unlicensed_outcome
from clients.sandbox.federation import Sandbox, Say, say_nothing
from clients.sandbox.people import Person
from clients.sandbox.processes import SandboxError
from clients.sdk import LenderView, PartialView, Permission, render_notice
from concordat import v1
from concordat.rpc.errors import name_of
from concordat.v1 import DisclosureKind, ProviderOutcomeKind, Purpose

# Real loans, and what became of them. The third had good scores and failed all the same.
BORROWERS = {
    "SBA-1011794009": "paid in full",
    "SBA-1516785008": "charged off",
    "SBA-1001534008": "charged off",
}
KILLED = "quillmere-bank-pool"
WITNESSES = 3
FEWEST = 2  # one is killed
THRESHOLD = 560
DAILY = v1.Frequency(uses=20, period=v1.Period.PERIOD_DAY)


class Demo:
    """Walks through everything once, and says what it shows."""

    def __init__(
        self, console: Console, out: Path, providers: int = 8, folder: Path | None = None
    ) -> None:
        """Print to ``console``; leave the verifiable files in ``out``.

        ``folder`` is where the federation's keys, databases and logs are kept; without it, they go.
        """
        self._console = console
        self._out = out
        self._providers = providers
        self._folder = folder
        self._steps: list[dict[str, Any]] = []
        self._facts: dict[str, Any] = {}
        self._begun = time.monotonic()
        self._say: Say = say_nothing

    def run(self) -> dict[str, Any]:
        """Run every step; raise ``SandboxError`` and others at the first that goes wrong.

        Returns what was shown, for programs: ``views``, ``less`` and ``partial`` hold views as
        ``concordat view show --json`` prints them.
        """
        with self._console.status("") as status:
            self._say = status.update
            sandbox = Sandbox(
                providers=self._providers,
                witnesses=WITNESSES,
                scores=True,
                folder=self._folder,
                say=status.update,
            )
            try:
                view = self._online(sandbox)
                with self._step("Every process stops; what is left is a file and the trust bundle"):
                    demo_offline.leave(self._out, view, sandbox.trust_bundle)
                    sandbox.stop()
                    self._require_stopped(sandbox)
                    demo_log.leave_log(sandbox, self._out)
            except Exception as error:
                error.add_note(sandbox.log_tails())
                raise
            finally:
                sandbox.close()
        with self._step("Anyone verifies the view offline, from the trust bundle alone"):
            demo_offline.verify(self._console, self._out)
        with self._step("An auditor reads the whole log, with no key but the log's"):
            demo_log.audit_all(self._console, self._out)
        elapsed = time.monotonic() - self._begun
        self._print(f"{len(self._steps)} steps in {elapsed:.0f} s; see {self._out}/README.md")
        self._print("demo: ok")
        return {
            "view": self._out / demo_offline.VIEW,
            "trust_bundle": self._out / demo_offline.TRUST_BUNDLE,
            "seconds": round(elapsed, 1),
            "steps": self._steps,
            **self._facts,
        }

    def _online(self, sandbox: Sandbox) -> LenderView:
        with self._step("The regulator licenses the members"):
            sandbox.prepare()
            self._console.print(demo_tables.members(sandbox))
        with self._step(
            "Separate processes start, and providers load what they know of real borrowers"
        ):
            sandbox.start()
            self._console.print(demo_tables.processes(sandbox))
        with self._step("Borrowers enrol: the registrar binds a key that only they hold"):
            people = sandbox.enrol(list(BORROWERS))
            self._console.print(demo_tables.people(people, BORROWERS))
        with self._step("They consent: one lender, one purpose, named providers"):
            permissions = [self._consent(sandbox, person) for person in people]
            notice = render_notice(v1.Consent.FromString(permissions[0].consent.payload))
            self._console.print(Panel(notice.rstrip(), title="The notice that the first was shown"))
        lender = sandbox.lender()
        with self._step(
            "The lender asks: one verified view of each, pooled from all who know them"
        ):
            views = [lender.request_view(permission) for permission in permissions]
            self._console.print(demo_tables.views(views, list(BORROWERS.items())))
            render.print_view(self._console, views[1].verified)
            self._facts["views"] = [view_facts(view.verified) for view in views]
        with self._step("A borrower may disclose less: a band, or a yes or no"):
            self._facts["less"] = [view_facts(v.verified) for v in self._less(sandbox, people[0])]
        with self._step("Refused, with a reason that can be acted on"):
            self._show_refusals(four_refusals(sandbox, people[0], permissions[1], lender))
            name, outcome = unlicensed_outcome(sandbox, people[0], lender)
            self._print(f"a consent that names {name}: it is not asked, and the view says so:")
            self._print(f"  {ProviderOutcomeKind.Name(outcome.kind)}, {name_of(outcome.reason)}")
        self._show_listing(sandbox, people[2])
        with self._step("The borrower asks for its own score: what moved it, what would lift it"):
            self._facts["own"] = self._own_score(sandbox, people[1])
        with self._step("A regulator looks a borrower up in a case: two officers must approve"):
            self._facts["case"] = demo_cases.look_up(self._console, sandbox, people[1])
        with self._step("Its date comes: the borrower is told, and no one could have withheld it"):
            self._facts["notice"] = demo_cases.notice(self._console, sandbox, people[1])
        with self._step("A borrower has erased what no law keeps"):
            self._facts["erased"] = demo_cases.erase(self._console, people[2])
        with self._step(f"{KILLED} is killed (SIGKILL); the view says who is missing"):
            self._facts["partial"] = view_facts(self._kill_one(sandbox, people[1]).verified)
        with self._step(
            "The borrower sees who looked, refused attempts too, and that none is left out"
        ):
            demo_log.show_accesses(self._console, sandbox, people[1], views[1])
        return views[1]

    def _consent(self, sandbox: Sandbox, person: Person) -> Permission:
        return person.consent(sandbox.provider_ids, frequency=DAILY, max_uses=20)

    def _less(self, sandbox: Sandbox, person: Person) -> list[LenderView]:
        lender, providers = sandbox.lender(), sandbox.provider_ids
        band = person.consent(providers, disclosure=DisclosureKind.DISCLOSURE_KIND_BAND)
        threshold = person.consent(
            providers,
            purpose=Purpose.PURPOSE_DEPOSIT_WAIVER,
            disclosure=DisclosureKind.DISCLOSURE_KIND_THRESHOLD,
            threshold=THRESHOLD,
        )
        views = [lender.request_view(permission) for permission in (band, threshold)]
        for view in views:
            if view.verified.statements or view.score().HasField("full"):
                raise SandboxError("a view tells more than the borrower disclosed")
            self._console.print(render.headline(view.verified))
        self._print("provider statements in either: none")
        return views

    def _show_refusals(self, four: list[Tried]) -> None:
        self._console.print(demo_tables.refusals(four))
        self._facts["refusals"] = [
            {"attempt": tried.attempt, "reason": name_of(tried.refusal.reason)} for tried in four
        ]

    def _show_listing(self, sandbox: Sandbox, person: Person) -> None:
        story = ListingStory(self._console, sandbox, person, self._say)
        for title, tell in story.chapters():
            with self._step(title):
                tell()
        self._facts["listing"] = story.facts

    def _own_score(self, sandbox: Sandbox, person: Person) -> dict[str, Any]:
        verified = sandbox.wallet().own_view(person.key, sandbox.provider_ids)
        for part in report_parts(verified):
            self._console.print(part)
        return own_report_facts(verified)

    def _kill_one(self, sandbox: Sandbox, person: Person) -> LenderView:
        sandbox.process(KILLED).kill()
        view = sandbox.lender().request_view(self._consent(sandbox, person))
        gone = [outcome.provider for outcome in view.missing]
        if gone != [KILLED] or view.missing[0].kind not in {
            ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_UNREACHABLE,
            ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_TIMED_OUT,
        }:
            raise SandboxError(f"expected {KILLED} to be missing; missing are {gone}")
        warning = render.missing(view.verified)
        self._console.print(render.headline(view.verified), warning or "")
        try:
            view.score()
        except PartialView:
            points = view.score(accept_partial=True).full.points
            self._print(f"the lender gets its {points} points only by accepting a partial view")
        else:
            raise SandboxError("a partial view passed for a complete one")
        return view

    def _require_stopped(self, sandbox: Sandbox) -> None:
        left = [process.name for process in sandbox.processes.values() if process.running]
        if left:
            raise SandboxError(f"still running: {', '.join(left)}")
        self._print(f"stopped: {len(sandbox.processes)} processes")

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)

    @contextmanager
    def _step(self, title: str) -> Iterator[None]:
        self._console.rule(f"[bold]{len(self._steps) + 1}. {title}", align="left")
        begun = time.monotonic()
        yield
        took = time.monotonic() - begun
        self._steps.append({"title": title, "seconds": round(took, 1)})
        self._console.print(Padding(f"[dim]{took:.1f} s[/]", (0, 0, 1, 0)), highlight=False)
