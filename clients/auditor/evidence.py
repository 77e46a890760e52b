"""Evidence on disk: what a log served or signed, to the byte, each finding in a folder of its own."""

from pathlib import Path

from clients.auditor.errors import AuditorError
from clients.durable import flush, write_durably

PREFIX = "evidence-"
MAX_FOLDERS = 100
"""A log that is wrong every minute does not fill the disk."""


def keep_evidence(folder: Path, error: AuditorError) -> Path | None:
    """Write an error's evidence to ``folder/evidence-<n>`` and return that.

    The same evidence is not written twice, however often it turns up. None where there is no evidence, or
    no room: at ``MAX_FOLDERS``.
    """
    files = {name.replace("/", "-"): content for name, content in error.evidence.items()}
    if not files:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    numbers = []
    for path in folder.glob(f"{PREFIX}*"):
        if _holds(path, files):
            return path
        number = path.name.removeprefix(PREFIX)
        numbers += [int(number)] if number.isdecimal() else []
    if len(numbers) >= MAX_FOLDERS:
        return None
    made = folder / f"{PREFIX}{max(numbers, default=0) + 1}"
    made.mkdir()
    for name, content in files.items():
        write_durably(made / name, content)
    write_durably(made / "finding.txt", f"{error.reason}\n{error}\n".encode())
    flush(folder)
    return made


def _holds(folder: Path, files: dict[str, bytes]) -> bool:
    try:
        return all((folder / name).read_bytes() == content for name, content in files.items())
    except OSError:
        return False
