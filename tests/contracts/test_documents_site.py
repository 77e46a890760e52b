"""The documentation site: built without a warning, and nothing on it from another host."""

import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
_LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"(?:https?:)?//"
    r"|<link\b(?![^>]*rel=\"(?:canonical|author)\")[^>]*\bhref=\"(?:https?:)?//"
    r"|@import\s+[\"'(]|url\([\"']?(?:https?:)?//"
)


@pytest.fixture(scope="module")
def conf() -> ModuleType:
    spec = spec_from_file_location("docs_conf", ROOT / "docs/conf.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("[how](../clients/sandbox/scores/README.md#source)", "how"),
        ("[protos](../protos/concordat/v1)", "protos"),
        ("[reason.proto](../protos/concordat/v1/reason.proto)", None),
        ("[decision](adr/README.md)", None),
        ("![picture](../clients)", None),
    ],
)
def test_links_to_what_the_site_does_not_hold_are_words(
    conf: ModuleType, link: str, shown: str | None
) -> None:
    assert conf._within_the_site(ROOT / "docs/log.md", link) == (shown or link)


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        str(ROOT / "docs"),
        str(site),
    ]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert (site / "searchindex.js").is_file()
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert {page.stem for page in pages} >= {"five-minutes", "protocol", "errors", "README"}
    assert {
        page.name: found[0] for page in pages if (found := _LOADED.search(page.read_text()))
    } == {}
