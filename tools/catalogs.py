"""Gather the texts of the pages for people into the catalogs of `clients/console/locales`.

    python tools/catalogs.py [NAME...]  # write them: new texts without a translation, unused ones gone
    python tools/catalogs.py --check    # fail where a catalog is not up to date, or a translation is missing

One catalog a site, one for what they share (`base`), and one for the words that commands and pages share
(`words`): texts marked in the code, the names of the enumerations that people read, and the reasons' messages.
A text stands in one catalog only: in `base` or `words` before any site's.
"""

import argparse
import io
import re
import string
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from clients.cli.console import words
from concordat import v1
from concordat.rpc.errors import CATALOG

ROOT = Path(__file__).resolve().parent.parent
CONSOLE = ROOT / "clients" / "console"
LOCALES = CONSOLE / "locales"
LANGUAGES = ("zh",)
_SHARED = ("base", "words")
_KEYWORDS: dict[str, tuple[int, ...] | None] = {"tr": (1,), "marked": (1,), "plural": (1, 2)}
_METHODS = [("**.py", "python"), ("**.html", "jinja2"), ("**.j2", "jinja2")]
_ENUMS = {
    "CaseScope": "CASE_SCOPE_",
    "ConsentEventKind": "CONSENT_EVENT_KIND_",
    "ConsentState": "CONSENT_STATE_",
    "DataCategory": "DATA_CATEGORY_",
    "DisclosureKind": "DISCLOSURE_KIND_",
    "DisputeGround": "DISPUTE_GROUND_",
    "FlagKind": "FLAG_KIND_",
    "InboxKind": "INBOX_KIND_",
    "ListingBasis": "LISTING_BASIS_",
    "ListingKind": "LISTING_KIND_",
    "ListingMark": "LISTING_MARK_",
    "LogEntryKind": "LOG_ENTRY_KIND_",
    "NoticeChannel": "NOTICE_CHANNEL_",
    "Period": "PERIOD_",
    "ProviderOutcomeKind": "PROVIDER_OUTCOME_KIND_",
    "Purpose": "PURPOSE_",
    "ReleaseResult": "RELEASE_RESULT_",
    "Role": "ROLE_",
    "WithdrawalCode": "WITHDRAWAL_CODE_",
}
_FIELD = string.Formatter()
Text = str | tuple[str, ...]


def texts_of(domain: str) -> set[Text]:
    """Return every text that a catalog has to hold."""
    if domain == "words":
        return {*_found(ROOT / "clients", but=CONSOLE), *_of_enums(), *_of_reasons()}
    return set(_found(CONSOLE / domain))


def _found(folder: Path, but: Path | None = None) -> Iterator[Text]:
    """Yield the texts marked in a folder's code and templates; they are put into words once."""
    found = extract_from_dir(
        folder,
        _METHODS,
        keywords=_KEYWORDS,
        directory_filter=lambda path: but is None or Path(path) != but,
    )
    for _, _, text, _, _ in found:
        if text:
            yield text if isinstance(text, str) else tuple(text)


def _of_enums() -> Iterator[Text]:
    for name, prefix in _ENUMS.items():
        kind = getattr(v1, name)
        yield from (words(kind.Name(number), prefix) for number in kind.values() if number)


def _of_reasons() -> Iterator[Text]:
    yield from (spec.message for spec in CATALOG.values())


def domains() -> list[str]:
    """Return the catalogs' names, the shared ones first."""
    sites = [path.name for path in sorted(CONSOLE.iterdir()) if (path / "templates").is_dir()]
    return [*_SHARED, *(name for name in sites if name not in _SHARED)]


def brought_up_to_date(path: Path, texts: Iterable[Text], language: str) -> Catalog:
    """Return a catalog with exactly these texts, translated as far as the file at ``path`` has them."""
    known: dict[Text, Message] = {}
    if path.exists():
        with path.open("rb") as file:
            known = {_id(message): message for message in read_po(file, locale=language)}
    catalog = Catalog(language, header_comment="", fuzzy=False)
    for text in sorted(texts, key=str):
        had = known.get(text)
        catalog.add(text, had.string if had is not None else None, flags={"python-brace-format"})
    return catalog


def written(catalog: Catalog) -> bytes:
    """Return a catalog's file: the same bytes for the same texts."""
    out = io.BytesIO()
    write_po(out, catalog, width=0, omit_header=True, sort_output=False)
    head = (
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        f'"Language: {catalog.locale}\\n"\n"Plural-Forms: {catalog.plural_forms}\\n"\n\n'
    )
    body = re.sub(r"^#, python-brace-format\n", "", out.getvalue().decode(), flags=re.MULTILINE)
    return (head + body.rstrip("\n") + "\n").encode()


def faults_of(catalog: Catalog) -> Iterator[str]:
    """Yield what is missing or wrong in a catalog's translations."""
    for message in catalog:
        if not message.id:
            continue
        text = _id(message)
        singular = text if isinstance(text, str) else text[-1]
        said = [message.string] if isinstance(message.string, str) else list(message.string or ())
        if not said or not all(said):
            yield f"no translation of {singular!r}"
        elif any(_fields(form) - _fields(singular) for form in said):
            yield f"a field that is not in {singular!r}"
        elif any(_fields(singular) - _fields(form) for form in said):
            yield f"a field is left out of {singular!r}"


def _id(message: Message) -> Text:
    return message.id if isinstance(message.id, str) else tuple(message.id)


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in _FIELD.parse(text) if name}


def main() -> int:
    """Write the catalogs, or check them; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="Catalogs; else all that are there.")
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args()
    problems = [
        problem
        for language in LANGUAGES
        for problem in bring_up_to_date(language, chosen.only or domains(), check=chosen.check)
    ]
    for problem in problems:
        print(problem)
    return 1 if problems and chosen.check else 0


def bring_up_to_date(language: str, only: Sequence[str], *, check: bool) -> Iterator[str]:
    """Write the catalogs of a language, or only check them; yield what is missing or wrong in them."""
    folder = LOCALES / language / "LC_MESSAGES"
    shared: set[Text] = set()
    for domain in domains():
        path = folder / f"{domain}.po"
        texts = texts_of(domain) - shared
        if domain in _SHARED:
            shared |= texts
        if domain not in only:
            continue
        catalog = brought_up_to_date(path, texts, language)
        if not check:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(written(catalog))
        elif not path.exists() or path.read_bytes() != written(catalog):
            yield f"{path.relative_to(ROOT)} is out of date: run make catalogs"
        yield from (f"{path.relative_to(ROOT)}: {fault}" for fault in faults_of(catalog))


if __name__ == "__main__":
    sys.exit(main())
