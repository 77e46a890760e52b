"""How long each member's licence still runs, for whoever holds the directory."""

from datetime import datetime

from concordat.clock import from_timestamp
from concordat.federation.directory import MemberDirectory
from concordat.telemetry.metrics import LICENCE_SECONDS


def read_licences(directory: MemberDirectory, at: datetime) -> None:
    """Set the gauge for every member that is known."""
    LICENCE_SECONDS.clear()
    for member in directory.members():
        left = from_timestamp(member.licence.not_after) - at
        LICENCE_SECONDS.set(left.total_seconds(), member.member_id)
