"""Write the reference pages that are made from the code, or check that they are current.

python tools/docs.py           write docs/errors.md, docs/settings.md, docs/protocol.md, docs/metrics.md, and the
                               tables of docs/listings.md
python tools/docs.py --check   write nothing; exit 1 naming every page that differs

What a page says of a reason or a setting stands in the code: the comments of ``reason.proto``, the
catalog of ``concordat.rpc.errors``, the descriptions of the settings' fields. What a listing may do, and by
whose time limits, stands in ``exchange.listings``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from concordat.rpc.errors import CATALOG, DOMAIN, name_of
from concordat.settings import ServerSettings
from concordat.v1 import ListingState, Reason
from exchange.listings.machine import ALLOWED
from exchange.listings.machine.listing import LIVE
from exchange.listings.profile import KindLimits, Profile, Profiles, Span
from exchange.settings import ExchangeSettings
from provider.settings import ProviderSettings
from registrar.settings import RegistrarSettings
from tools.metrics_page import metrics_page
from tools.protocol_page import protocol_page
from witness.settings import WitnessSettings

ROOT = Path(__file__).resolve().parent.parent
REASONS_PROTO = ROOT / "protos/concordat/v1/reason.proto"
LISTINGS = Path("docs/listings.md")
BUILT_IN_PROFILES = ("eu", "us", "cn", "in", "uk")

NOTE = "<!-- Made by tools/docs.py; do not edit, run `.venv/bin/python tools/docs.py`. -->\n"

# Reasons are numbered by what they are about; each group starts at its number.
GROUPS = {
    1: "The call itself",
    10: "The caller and its licence",
    20: "Statements",
    30: "Consents, bindings and purposes",
    50: "Providers",
    60: "The registrar",
    70: "The log",
    80: "Listings, disputes and the court's mirror",
    95: "Freezes, and lenders whose use looks like fishing",
    110: "Outcomes in counts",
    120: "Case look-ups",
    130: "Orders, statistics, outcomes and changes",
}

ERRORS_HEAD = f"""# Reasons for refusals

{NOTE}
Every refusal has one reason of a closed list, the enum `Reason` of
[`reason.proto`](../protos/concordat/v1/reason.proto).

- **A failed call** carries a `google.rpc.Status` with the gRPC code and the public message below,
  an `ErrorInfo` (`reason` is the name below, `domain` is `{DOMAIN}`, `metadata.request_id` is the id
  under which the server's log has the details), and a `RetryInfo` where asking again later makes
  sense.
- **One item of a batched answer** that is refused carries an `ItemRefusal` with the same reason and
  message; the call itself succeeds.
- **A provider that is missing from a view** is named in `View.providers` with the reason.

A public message is the same for everyone and tells no more about a person than the caller may know;
what exactly was wrong stands in the log of the process that refused.
"""

SETTINGS_HEAD = f"""# Settings

{NOTE}
Each server reads one TOML file, named with `--config`. Paths, and those in `sqlite:///` URLs, are
relative to that file. A setting that is not known is an error, not a typing mistake to be ignored.

Every setting can be given in the environment, which wins over the file: `CONCORDAT_` and the name in
capitals, with `__` before a setting of a table: `CONCORDAT_LOG_LEVEL=debug`,
`CONCORDAT_SCORES__URL=postgresql+psycopg://...`. Keep a database password there rather than in the
file.

`database` is `sqlite:///exchange.db` and the like, or `postgresql+psycopg://user@host/name`. SQLite
is for one process at a time.
"""

SHARED_HEAD = """
## Every server

The exchange, a provider's node and the registrar; a witness has its own table.

| setting | type | default | what |
|---|---|---|---|
"""

EXAMPLES: dict[str, tuple[type[ServerSettings], str, str]] = {
    "Exchange": (
        ExchangeSettings,
        "concordat-exchange",
        '\n[log]\nsigning_key = "log.key"\nlisten = "0.0.0.0:7446"\n',
    ),
    "Provider's node": (ProviderSettings, "concordat-provider", '\n[scores]\nsource = "store"\n'),
    "Registrar": (
        RegistrarSettings,
        "concordat-registrar",
        '\n[identity]\nderivation_key = "derivation.key"\n',
    ),
}

EXAMPLE = """\
member_id = "{member_id}"
trust_bundle = "trust-bundle.json"
signing_key = "signing.key"
tls_certificate = "tls.crt"
tls_key = "tls.key"
member_listen = "0.0.0.0:7443"
public_listen = "0.0.0.0:7444"
database = "sqlite:///{member_id}.db"
"""

WITNESS_HEAD = """
## Witness

`concordat-witness serve --config FILE`, with a file such as

```toml
name = "witness.example/w1"
signing_key = "signing.key"
listen = "127.0.0.1:7445"
database = "sqlite:///witness.db"

[[logs]]
vkey = "log.example/concordat+e3a4762e+AXlVWoDeNl2Qn3S1dgr+JUiLvARLCBP/5GnnGfrfafbX"
```

| setting | type | default | what |
|---|---|---|---|
"""


def pages() -> dict[Path, str]:
    """Return every page made from the code, by its path in the repository."""
    return {
        Path("docs/errors.md"): errors_page(),
        Path("docs/settings.md"): settings_page(),
        Path("docs/protocol.md"): protocol_page(),
        Path("docs/metrics.md"): metrics_page(NOTE),
        LISTINGS: listings_page(),
    }


def errors_page() -> str:
    """Return the page of all reasons: when each is given, its gRPC code, its public message."""
    when = reasons_explained(REASONS_PROTO.read_text("utf-8"))
    text = ERRORS_HEAD
    for reason in sorted(value for value in Reason.values() if value):
        if reason in GROUPS:
            text += f"\n## {GROUPS[reason]}\n\n| reason | gRPC code | when | public message |\n"
            text += "|---|---|---|---|\n"
        spec = CATALOG[reason]
        text += row(
            f"`{name_of(reason)}`", f"`{spec.code.name}`", when[Reason.Name(reason)], spec.message
        )
    return text


def reasons_explained(proto: str) -> dict[str, str]:
    """Return the comment above each value of the enum `Reason`, on one line."""
    found = re.findall(r"((?:^ *//.*\n)+) *(REASON_\w+) = \d+;", proto, re.MULTILINE)
    return {
        name: " ".join(line.strip().removeprefix("//").strip() for line in comment.splitlines())
        for comment, name in found
    }


def settings_page() -> str:
    """Return the page of all settings: those that every server has, then each server's own."""
    text = SETTINGS_HEAD + SHARED_HEAD
    shared = ServerSettings.model_json_schema()
    text += "".join(setting_rows(shared))
    for title, (kind, command, more) in EXAMPLES.items():
        text += f"\n## {title}\n\n`{command} serve --config FILE`, with a file such as\n\n"
        member_id = command.removeprefix("concordat-")
        text += f"```toml\n{EXAMPLE.format(member_id=member_id)}{more}```\n\n"
        text += "| setting | type | default | what |\n|---|---|---|---|\n"
        text += "".join(setting_rows(kind.model_json_schema(), leave_out=shared["properties"]))
    text += WITNESS_HEAD + "".join(setting_rows(WitnessSettings.model_json_schema()))
    return text


def listings_page() -> str:
    """Return the page about listings with its made tables: who may do what, and the profiles."""
    text = (ROOT / LISTINGS).read_text("utf-8")
    for name, table in (("acts", acts_table()), ("profiles", profiles_table())):
        text = with_table(text, name, table)
    return text


def with_table(text: str, name: str, table: str) -> str:
    """Return a page with the table between its two marks replaced; raise ``ValueError`` without them."""
    start, end = f"<!-- {name}: made by tools/docs.py -->\n", f"<!-- {name}: end -->\n"
    before, marked, rest = text.partition(start)
    _, ended, after = rest.partition(end)
    if not (marked and ended):
        raise ValueError(f"{LISTINGS} has no place for its table {name!r}")
    return f"{before}{start}\n{table}\n{end}{after}"


def acts_table() -> str:
    """Return who may do what to a listing in which state, from the machine's own table."""
    text = "| what | who | while it is |\n|---|---|---|\n"
    for act, ways in ALLOWED.items():
        for who, states in ways:
            names = [
                ListingState.Name(state).removeprefix("LISTING_STATE_") for state in sorted(states)
            ]
            where = "anything but ended" if states == LIVE else ", ".join(f"`{n}`" for n in names)
            text += row(act.value, ", ".join(sorted(actor.value for actor in who)), where)
    return text


def profiles_table() -> str:
    """Return the time limits of the profiles that come with the exchange."""
    known = Profiles.load()
    columns = [limits_of(known[name]) for name in BUILT_IN_PROFILES]
    text = row("", *(name.upper() for name in BUILT_IN_PROFILES))
    text += "|---|" + "---|" * len(BUILT_IN_PROFILES) + "\n"
    for what in columns[0]:
        text += row(what, *(column[what] for column in columns))
    return text


def limits_of(profile: Profile) -> dict[str, str]:
    """Return one profile's limits in words."""
    more = f", +{span(profile.extension)} once" if profile.extension else ""
    return {
        "notice before effect": span(profile.notice),
        "a dispute is decided in": span(profile.dispute) + more,
        "an appeal is raised in, decided in": f"{span(profile.appeal_within)}, {span(profile.appeal)}",
        "a debt ends after": ends_after(profile.debt),
        "a judgment ends after": ends_after(profile.judgment),
        "while disputed: debt, judgment": f"{profile.debt.while_disputed}, {profile.judgment.while_disputed}",
        "debts below this are not listed": f"{profile.floor_minor // 100:,} {profile.currency}",
    }


def ends_after(limits: KindLimits) -> str:
    """Return when listings of one kind end."""
    text = span(limits.life)
    if limits.after_settlement:
        text += f", or {span(limits.after_settlement)} after settlement"
    if limits.prolonged_by_court:
        text += f"; +{span(limits.prolonged_by_court)} by court order"
    for repair in limits.repair:
        within = f" within {span(repair.paid_within)}" if repair.paid_within else ""
        text += f"; {repair.ends} if paid{within}"
    return text


def span(length: Span) -> str:
    """Return a length of time in words."""
    years, months = divmod(length.months, 12)
    parts = ((years, "y"), (months, "m"), (length.days, "d"), (length.seconds, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def setting_rows(
    schema: Mapping[str, Any], *, leave_out: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Yield a table row for each setting; a nested table's settings are named `table.setting`.

    Those of a list of tables are named `list[].setting`.
    """
    required, tables = schema.get("required", []), schema.get("$defs", {})
    for name, field in schema["properties"].items():
        if name in (leave_out or {}):
            continue
        many = "[]" if "$ref" in field.get("items", {}) else ""
        if table := table_of(field["items"] if many else field, tables):
            yield from table_rows(f"{name}{many}", table, tables)
        else:
            yield setting_row(name, field, needed=name in required)


def table_rows(name: str, table: Mapping[str, Any], tables: Mapping[str, Any]) -> Iterator[str]:
    """Yield a row for each setting of a nested table, and of the tables nested in it."""
    for nested, field in table["properties"].items():
        if inner := table_of(field, tables):
            yield from table_rows(f"{name}.{nested}", inner, tables)
        else:
            needed = nested in table.get("required", [])
            yield setting_row(f"{name}.{nested}", field, needed=needed)


def table_of(field: Mapping[str, Any], tables: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the table that a field is, also one that may be left out; None for a plain setting."""
    for kind in (field, *field.get("anyOf", ())):
        if "$ref" in kind:
            found: Mapping[str, Any] = tables[kind["$ref"].rpartition("/")[2]]
            return found
    return None


def setting_row(name: str, field: Mapping[str, Any], *, needed: bool) -> str:
    """Return one setting's row."""
    default = field.get("default")
    shown = "**required**" if needed else "unset" if default in {None, ""} else f"`{toml(default)}`"
    return row(f"`{name}`", type_of(field), shown, field["description"])


def type_of(field: Mapping[str, Any]) -> str:
    """Return a setting's type and bounds in words."""
    if "anyOf" in field:
        return type_of(next(kind for kind in field["anyOf"] if kind["type"] != "null"))
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    pattern = field.get("pattern", "")
    if re.fullmatch(r"\^\([a-z|]+\)\$", pattern):
        return "one of " + ", ".join(f"`{value}`" for value in pattern[2:-2].split("|"))
    kind = {"path": "path", "regex": "regular expression"}.get(
        field.get("format", ""), str(field["type"])
    )
    bounds = [
        f"{words} {field[key]:g}"
        for key, words in (
            ("exclusiveMinimum", "above"),
            ("minimum", "from"),
            ("maximum", "to"),
        )
        if key in field
    ]
    return f"{kind}, {' '.join(bounds)}" if bounds else kind


def toml(value: object) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def row(*cells: str) -> str:
    """Return one row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def stale(root: Path) -> list[Path]:
    """Return the pages under `root` that differ from what the code says."""
    return [
        path
        for path, text in pages().items()
        if not (root / path).is_file() or (root / path).read_text("utf-8") != text
    ]


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Write the reference pages made from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if a page differs")
    if parser.parse_args().check:
        for path in (differing := stale(ROOT)):
            print(f"{path} is not current; run: .venv/bin/python tools/docs.py", file=sys.stderr)
        return 1 if differing else 0
    for path, text in pages().items():
        (ROOT / path).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
