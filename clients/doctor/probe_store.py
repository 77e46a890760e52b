"""A process's database, opened to read only, and the disks of what it keeps."""

import ast
import shutil
from importlib.util import find_spec
from pathlib import Path

from alembic.runtime.migration import MigrationContext

from clients.doctor import rules
from clients.doctor.finding import Finding
from clients.doctor.settings import DeploymentSettings
from concordat.store.exclusive import sqlite_file
from concordat.store.reading import opened_to_read


def database(check: str, settings: DeploymentSettings) -> list[Finding]:
    """Judge the database's schema; raise ``StoreError`` where it does not open."""
    with opened_to_read(settings.database) as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    return [rules.revision(check, found, newest_revision(settings.party))]


def newest_revision(party: str) -> str:
    """Return the newest schema that a party's migrations lead to, read without importing the party.

    Raises ``LookupError`` where the party is not installed here.
    """
    spec = find_spec(party)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"{party} is not installed here, so its newest schema is not known")
    folder = Path(spec.submodule_search_locations[0]) / "migrations/versions"
    named = [_names(path) for path in folder.glob("*.py")]
    older = {names.get("down_revision") for names in named}
    newest = [names["revision"] for names in named if names.get("revision") not in older]
    if len(newest) != 1 or newest[0] is None:
        raise LookupError(f"the migrations of {party} have no one newest")
    return newest[0]


def _names(path: Path) -> dict[str, str | None]:
    """Return the texts that a migration gives names to."""
    found: dict[str, str | None] = {}
    for node in ast.parse(path.read_text("utf-8")).body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=value))
            ) if value is None or isinstance(value, str):
                found[name] = value
    return found


def disks(name: str, settings: DeploymentSettings) -> list[Finding]:
    """Judge the disks of the database's file and of the log's tiles; a server's disk is seen only there."""
    folders = {}
    if file := sqlite_file(settings.database):
        folders["database"] = file.parent
    if settings.log is not None and settings.log.tiles == "files":
        folders["log"] = settings.log.folder
    return [_disk(f"disk of the {what}, {name}", folder) for what, folder in folders.items()]


def _disk(check: str, folder: Path) -> Finding:
    there = next(each for each in (folder, *folder.parents) if each.exists())
    usage = shutil.disk_usage(there)
    return rules.disk(check, usage.free, usage.total)
