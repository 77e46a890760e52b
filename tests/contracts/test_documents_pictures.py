"""The documents' pictures: those shown are those that there are, of every page of both menus, and small."""

import re

import pytest
from PIL import Image

from tools.screenshots import FOLDER, LOOKS, MOST_BYTES, MOST_BYTES_IN_ALL, names

ROOT = FOLDER.parent.parent
_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^()\s]+\.png)\)")
SHOWN = {
    (path.parent / target).resolve(): words
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
    for words, target in _PICTURE.findall(path.read_text("utf-8"))
}
TAKEN = sorted(FOLDER.iterdir())


def test_the_pictures_that_are_shown_are_those_that_there_are() -> None:
    assert {path.name for path in SHOWN} == {path.name for path in TAKEN}
    assert all(len(words) > len("a picture") for words in SHOWN.values())


@pytest.mark.parametrize("site", ["wallet", "desk"])
def test_every_page_of_a_menu_has_its_pictures(site: str) -> None:
    wanted = {f"{site}-{name}-{look.name}.png" for name in names(site).values() for look in LOOKS}
    assert wanted <= {path.name for path in TAKEN}


def test_they_are_small_and_as_wide_as_their_look() -> None:
    widths = {look.name: look.width for look in LOOKS}
    for path in TAKEN:
        assert path.stat().st_size <= MOST_BYTES, path.name
        with Image.open(path) as picture:
            assert picture.width == widths[path.stem.rpartition("-")[2]], path.name
    assert sum(path.stat().st_size for path in TAKEN) <= MOST_BYTES_IN_ALL
