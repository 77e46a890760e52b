"""How Sphinx builds the documentation site: `make docs`. Nothing on it comes from another host."""

import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from sphinx.application import Sphinx

project = "Concordat"
author = "the Concordat maintainers"
project_copyright = "the Concordat maintainers, Apache-2.0"
release = metadata.version("concordat")

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4  # links to headings, as the repository's pages have them

html_theme = "furo"
html_title = "Concordat"
html_copy_source = False
html_show_sphinx = False

_PAGES = Path(__file__).parent.resolve()
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\.[^)#\s]*)(?:#[^)\s]*)?\)")


def _within_the_site(path: Path, text: str) -> str:
    """Return a page whose links to folders and pages of the repository are words: the site has neither."""

    def kept(link: re.Match[str]) -> str:
        target = (path.parent / link[2]).resolve()
        inside = target.is_relative_to(_PAGES)
        is_page = target.is_dir() or target.suffix == ".md"
        return link[1] if is_page and not inside else link[0]

    return _LINK.sub(kept, text)


def _toctree(pages: Iterable[str], *options: str) -> str:
    lines = [":::{toctree}", *options, "", *pages, ":::"]
    return "\n" + "\n".join(lines) + "\n"


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    text = _within_the_site(Path(app.env.doc2path(name)), source[0])
    if name == "adr/README":  # its table is the contents already
        text += _toctree(["[0-9]*"], ":glob:", ":hidden:")
    elif name == "index":
        named = {*text.split(), name}
        others = sorted(each for each in app.env.found_docs if "/" not in each)
        text += _toctree([each for each in others if each not in named], ":caption: More")
    source[0] = text


def setup(app: Sphinx) -> None:
    """Have every page read through ``_within_the_site``."""
    app.connect("source-read", _read)
