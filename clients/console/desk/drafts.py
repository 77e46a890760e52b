"""Licences and statuses on their way through the roots, as files in the desk's folder; signed elsewhere.

Names of files come from what is in them, never from an upload's name.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from google.protobuf.message import DecodeError

from clients.pki.drafts import (
    Draft,
    before_path,
    read_draft,
    require_clean,
    signatures_of,
    stem_of,
    write_draft,
)
from clients.pki.errors import PkiError
from clients.pki.files import DRAFT_SUFFIX, SUFFIX, replace_file
from clients.pki.proposals import InForce
from clients.pki.signing import parse_root_statement, save_signed
from concordat import v1
from concordat.federation.anchors import Anchors


@dataclass(frozen=True, slots=True)
class DraftFiles:
    """Licences and statuses that roots are to sign, or have signed."""

    folder: Path
    anchors: Anchors

    def propose(self, statement: v1.Licence | v1.LicenceStatus, now: InForce) -> str:
        """Write a draft; return its name. Raises ``PkiError``, also where there is one of that number."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return write_draft(self.folder, statement, now).name

    def all(self, at: datetime) -> list[Draft]:
        """Return every draft, and what is complete."""
        paths = sorted(self.folder.glob(f"*{SUFFIX}"))
        return [read_draft(path, self.anchors, at) for path in paths]

    def find(self, name: str, at: datetime) -> Draft:
        """Return a draft by its file's name; raise ``PkiError`` where there is none such."""
        found = (path for path in self.folder.glob(f"*{SUFFIX}") if path.name == name)
        path = next(found, None)
        if path is None:
            raise PkiError("this desk has no such draft")
        return read_draft(path, self.anchors, at)

    def take(self, uploaded: bytes, at: datetime) -> str:
        """Take in a draft that roots have signed, or that was proposed elsewhere; return its name.

        Signatures are added to those that are here. Raises ``PkiError`` where a signature counts for nothing, or
        another draft of that number is here.
        """
        try:
            given = v1.Envelope.FromString(uploaded)
        except DecodeError as error:
            raise PkiError("the file holds no licence or status to be signed") from error
        statement = parse_root_statement(given)
        if statement.federation != self.anchors.federation:
            raise PkiError(f"the draft is of federation {statement.federation!r}")
        path = self._path(statement)
        merged = self._merged(path, given)
        require_clean(Draft(path, merged, statement, None), signatures_of(merged, self.anchors, at))
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.name.endswith(DRAFT_SUFFIX):
            replace_file(path, merged.SerializeToString())
            return path.name
        return save_signed(merged, path, self.anchors, at).path.name

    def remove(self, name: str, at: datetime) -> None:
        """Put a draft away that is in force, or that nobody wants."""
        path = self.find(name, at).path
        path.unlink()
        before_path(path).unlink(missing_ok=True)

    def _path(self, statement: v1.Licence | v1.LicenceStatus) -> Path:
        stem = stem_of(statement)
        complete = self.folder / (stem + SUFFIX)
        return complete if complete.exists() else self.folder / (stem + DRAFT_SUFFIX)

    def _merged(self, path: Path, given: v1.Envelope) -> v1.Envelope:
        if not path.exists():
            return given
        here = v1.Envelope.FromString(path.read_bytes())
        if (here.payload_type, here.payload) != (given.payload_type, given.payload):
            raise PkiError(f"another draft is here as {path.name}; put that away first")
        known = {each.keyid for each in here.signatures}
        here.signatures.extend(each for each in given.signatures if each.keyid not in known)
        return here
