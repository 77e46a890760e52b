"""What the `concordat review` commands share: who calls, with which keys, and about which dispute."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from clients.cli.console import read_passphrase
from clients.sdk.client import ReviewerClient
from clients.sdk.errors import ClientError
from clients.sdk.identity import MemberIdentity, load_identity
from clients.sdk.reviews import OpenedEvidence, Review, open_attachments
from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import load_anchors
from concordat.trust.sealed import SealingKey

SEALING_KEY = "sealing.key"

ReviewerFolder = Annotated[
    Path,
    typer.Option(
        "--member", help="Your folder: signing.key, tls.crt, tls.key, and sealing.key for evidence."
    ),
]
DisputeId = Annotated[
    str, typer.Argument(metavar="DISPUTE", help="A dispute's id, or its first digits.")
]


@dataclass(frozen=True, slots=True)
class ReviewDesk:
    """A reviewer at work."""

    client: ReviewerClient
    identity: MemberIdentity
    folder: Path
    passphrase: bytes | None
    now: datetime

    @property
    def federation(self) -> str:
        """The federation's name."""
        return self.client.anchors.federation

    def find(self, id_or_prefix: str) -> v1.ReviewSummary:
        """Return the one dispute of the queue whose id begins so; raise ``ClientError`` for none or many."""
        wanted = id_or_prefix.strip().lower()
        queue = self.client.list_reviews()
        found = [r for r in queue if wanted and r.dispute_id.hex().startswith(wanted)]
        if len(found) != 1:
            count = "several disputes" if found else "no dispute"
            raise ClientError(
                f"{count} in your queue begin with {id_or_prefix!r}; see: concordat review queue"
            )
        return found[0]

    def open_evidence(self, review: Review) -> list[OpenedEvidence]:
        """Open what is sealed to this reviewer; raise ``KeyFileError`` where the key is not at hand."""
        if not review.shown.attachments:
            return []
        return open_attachments(review, SealingKey.load(self.folder / SEALING_KEY, self.passphrase))


@contextmanager
def review_desk(
    trust_bundle: Path, folder: Path, passphrase_file: Path | None
) -> Iterator[ReviewDesk]:
    """Call the exchange as the member whose folder it is."""
    anchors = load_anchors(trust_bundle)
    passphrase = read_passphrase(passphrase_file)
    identity = load_identity(folder, anchors, passphrase)
    with ReviewerClient(anchors, identity) as client:
        yield ReviewDesk(client, identity, folder, passphrase, Clock().now())


def exactly(text: str, size: int, what: str) -> bytes:
    """Return an id or a reference written in hex; raise ``typer.BadParameter`` for anything else."""
    try:
        value = bytes.fromhex(text.strip())
    except ValueError:
        value = b""
    if len(value) != size:
        raise typer.BadParameter(f"{what} is {size} bytes in hex")
    return value
