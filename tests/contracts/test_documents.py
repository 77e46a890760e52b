"""Documents that can rot: commands, links, reference pages, and what must not stand in them."""

import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
from typer.testing import CliRunner

from concordat.rpc.errors import CATALOG, name_of
from concordat.settings import ServerSettings, load_settings
from concordat.v1 import ListingState, Reason
from exchange.listings.machine import ALLOWED
from exchange.settings import ExchangeSettings
from exchange.tables import metadata as exchange_tables
from provider import tables as provider_tables
from provider.settings import ProviderSettings
from registrar.settings import RegistrarSettings
from witness.settings import WitnessSettings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(
            path
            for party in ("clients", "exchange", "provider")
            for path in (ROOT / party).rglob("*.md")
        ),
    ]
)
COMMANDS = {
    "concordat": "clients.cli.main",
    "concordat-exchange": "exchange.main",
    "concordat-provider": "provider.main",
    "concordat-registrar": "registrar.main",
    "concordat-witness": "witness.main",
}
# Public places that a document may point to. A registry, a mirror or a workshop's own host is none.
HOSTS = frozenset(
    {
        "github.com",
        "keepachangelog.com",
        "semver.org",
        "www.apache.org",
        "c2sp.org",
        "www.rfc-editor.org",
    }
)
# Numbers of decisions whose pages are still being written; all others follow each other.
KEPT_DECISIONS = frozenset({38})
NEVER = re.compile(
    r"TODO|FIXME|XXX|(?<![\w.])/(?:work|home|root|tmp|Users|mnt|var/tmp)/|--index-url|localhost:\d",
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(text: str) -> str:
    return _FENCE.sub("", text)


def command_lines(text: str) -> Iterator[list[str]]:
    """Yield what a reader may type: lines of shell blocks, and inline code that begins with a command."""
    lines: list[str] = []
    for language, block in _FENCE.findall(text):
        if language in {"sh", "bash", "console", "shell"}:
            lines += block.replace("\\\n", " ").splitlines()
    lines += re.findall(r"`([^`\n]+)`", prose(text))
    for line in lines:
        if not re.match(r"(\$ )?(\.venv/bin/)?(make|concordat)\b", line):
            continue
        words = shlex.split(line.removeprefix("$ "), comments=True)
        words[0] = words[0].removeprefix(".venv/bin/")
        if words[0] in {"make", *COMMANDS}:
            yield words


def typed(program: str) -> list[tuple[str, list[str]]]:
    return [
        (name(path), words)
        for path in DOCUMENTS
        for words in command_lines(path.read_text("utf-8"))
        if (words[0] == "make") == (program == "make")
    ]


@cache
def command_of(program: str) -> Any:
    return typer.main.get_command(import_module(COMMANDS[program]).app)


@cache
def help_failure(program: str, *path: str) -> str:
    """Return what is printed where a command's help can't be; else ''."""
    shown = CliRunner().invoke(import_module(COMMANDS[program]).app, [*path, "--help"])
    return "" if shown.exit_code == 0 else shown.output


def fault_of(words: list[str]) -> str:
    """Return what is wrong with a command line, as the command's own parameters have it; else ''."""
    command = command_of(words[0])
    path, rest = [], words[1:]
    while hasattr(command, "get_command") and rest and not rest[0].startswith("-"):
        command = command.get_command(None, rest[0])
        if command is None:
            return f"{' '.join(words)}: no command {rest[0]}"
        path.append(rest.pop(0))
    options = {
        spelling: parameter
        for parameter in command.params
        if parameter.param_type_name == "option"
        for spelling in (*parameter.opts, *parameter.secondary_opts)
    }
    given = 0
    while rest:
        word = rest.pop(0)
        spelling, assigned, _ = word.partition("=")
        if not spelling.startswith("-"):
            given += 1
        elif spelling in options:
            if not options[spelling].is_flag and not assigned and rest:
                rest.pop(0)
        elif spelling != "--help":
            return f"{' '.join(words)}: no option {spelling}"
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    most = sum(p.nargs if p.nargs > 0 else 1000 for p in arguments)
    if given > most:
        return f"{' '.join(words)}: takes {most} arguments"
    failure = help_failure(words[0], *path)
    return f"{' '.join(words)}: --help fails: {failure}" if failure else ""


def slugs(text: str) -> set[str]:
    """Return the anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(text: str, path: Path) -> list[str]:
    """Return the links of a page with this text at `path` that lead nowhere within the project."""
    found = []
    for link in _LINK.findall(prose(text)):
        if urlsplit(link).scheme:
            continue
        file, _, fragment = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or ROOT not in (target, *target.parents):
            found.append(f"{link} leads nowhere")
        elif fragment and fragment not in slugs(
            text if target == path else target.read_text("utf-8")
        ):
            found.append(f"{link} names no heading")
    return found


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = spec_from_file_location("tools_docs", ROOT / "tools/docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["tools_docs"] = module
    spec.loader.exec_module(module)
    return module


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    lines = typed("make")
    assert {"demo", "test"} <= {word for _, words in lines for word in words[1:]}
    missing = [
        f"{where}: {' '.join(words)}"
        for where, words in lines
        for word in words[1:]
        if "=" not in word and word not in targets
    ]
    assert not missing, "\n".join(missing)


def test_every_command_line_that_is_shown_parses() -> None:
    lines = typed("concordat")
    assert ["view", "verify"] in [words[1:3] for where, words in lines if where == "README.md"]
    faults = [f"{where}: {fault}" for where, words in lines if (fault := fault_of(words))]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "line",
    [
        "concordat view verrify demo-out/view.cbundle",
        "concordat view verify a.cbundle --trustbundle b.json",
        "concordat view verify a.cbundle b.cbundle --trust-bundle b.json",
        "concordat-provider serve --configuration node.toml",
    ],
)
def test_a_command_line_that_does_not_parse_is_found(line: str) -> None:
    assert fault_of(shlex.split(line))


def test_the_reference_pages_are_current(tool: ModuleType) -> None:
    assert tool.stale(ROOT) == [], "run: .venv/bin/python tools/docs.py"


def test_a_page_that_is_not_current_is_named(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for path, text in tool.pages().items():
        (tmp_path / path).write_text(text, "utf-8")
    (tmp_path / "docs/errors.md").write_text("changed", "utf-8")
    assert tool.stale(tmp_path) == [Path("docs/errors.md")]


def test_every_reason_is_documented() -> None:
    rows = dict(
        re.findall(
            r"^\| `(\w+)` \| (.+) \|$", (ROOT / "docs/errors.md").read_text("utf-8"), re.MULTILINE
        )
    )
    reasons = [reason for reason in Reason.values() if reason]
    assert set(rows) == {name_of(reason) for reason in reasons}
    for reason in reasons:
        assert CATALOG[reason].message in rows[name_of(reason)]
        assert CATALOG[reason].code.name in rows[name_of(reason)]


def test_every_table_that_is_kept_is_described() -> None:
    text = (ROOT / "docs/ARCHITECTURE.md").read_text("utf-8")
    storage, _, _ = text.partition("## Storage\n")[2].partition("\n## ")
    described = set(
        re.findall(r"`(\w+)`", "".join(re.findall(r"^\|[^|]*\|([^|]*)\|", storage, re.MULTILINE)))
    )
    kept = {*exchange_tables.tables, *provider_tables.METADATA.tables}
    assert kept <= described, kept - described


def test_every_state_of_a_listing_is_explained() -> None:
    text = (ROOT / "docs/listings.md").read_text("utf-8")
    states, _, _ = text.partition("## States\n")[2].partition("\n## ")
    rows = re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", states, re.MULTILINE)
    known = [
        ListingState.Name(s).removeprefix("LISTING_STATE_") for s in ListingState.values() if s
    ]
    assert rows == known


def test_the_table_of_who_may_do_what_is_the_machines_own(tool: ModuleType) -> None:
    text = (ROOT / "docs/listings.md").read_text("utf-8")
    assert all(act.value in text for act in ALLOWED)
    assert tool.with_table(text, "acts", "other") != text
    with pytest.raises(ValueError, match="no place for its table"):
        tool.with_table("# a page without marks\n", "acts", tool.acts_table())


@pytest.mark.parametrize("kind", [ExchangeSettings, ProviderSettings, RegistrarSettings])
def test_each_example_of_settings_loads(kind: type[ServerSettings], tmp_path: Path) -> None:
    blocks = [
        block
        for language, block in _FENCE.findall((ROOT / "docs/settings.md").read_text("utf-8"))
        if language == "toml"
    ]
    who = kind.__name__.removesuffix("Settings").lower()
    (example,) = [block for block in blocks if tomllib.loads(block).get("member_id") == who]
    (tmp_path / "settings.toml").write_text(example, "utf-8")
    assert load_settings(kind, tmp_path / "settings.toml").member_id == who


def test_the_example_of_a_witness_loads(tmp_path: Path) -> None:
    text = (ROOT / "docs/settings.md").read_text("utf-8")
    examples = [block for language, block in _FENCE.findall(text) if language == "toml"]
    (example,) = [block for block in examples if "logs" in tomllib.loads(block)]
    (tmp_path / "settings.toml").write_text(example, "utf-8")
    assert len(load_settings(WitnessSettings, tmp_path / "settings.toml").logs) == 1


def test_every_decision_is_listed_under_its_own_title() -> None:
    folder = ROOT / "docs/adr"
    listed = re.findall(
        r"^\| \[(\d{4})\]\((\S+\.md)\) \|", (folder / "README.md").read_text("utf-8"), re.MULTILINE
    )
    pages = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [file for _, file in listed] == pages
    numbers = [int(number) for number, _ in listed]
    missing = KEPT_DECISIONS - set(numbers)
    assert numbers == [n for n in range(1, numbers[-1] + 1) if n not in missing]
    for number, file in listed:
        text = (folder / file).read_text("utf-8")
        assert file.startswith(number)
        assert text.startswith(f"# {number}: ")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
        ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_within_the_project_lead_somewhere(path: Path) -> None:
    assert broken_links(path.read_text("utf-8"), path) == []


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("0000-none.md", "leads nowhere"),
        ("../../../elsewhere.md", "leads nowhere"),
        ("README.md#no-such-heading", "names no heading"),
        ("#nor-here", "names no heading"),
        ("README.md#architecture-decisions", ""),
        ("#a-worked-example-twice", ""),
    ],
)
def test_a_link_that_leads_nowhere_is_found(link: str, fault: str) -> None:
    text = f"## A *worked* example, twice\n```\n# no heading\n```\nsee [there]({link})\n"
    found = broken_links(text, ROOT / "docs/adr/0001-record-decisions.md")
    assert found == ([f"{link} {fault}"] if fault else [])


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_a_document_speaks_of_no_machine_and_leaves_nothing_to_do(path: Path) -> None:
    text = path.read_text("utf-8")
    assert [found.group() for found in NEVER.finditer(text)] == []
    named = {urlsplit(url).hostname or "" for url in re.findall(r"https?://[^\s)>\"'`]+", text)}
    hosts = {host for host in named if not host.endswith(".example")}  # RFC 2606
    assert hosts <= HOSTS, f"hosts that a reader may not reach: {hosts - HOSTS}"
