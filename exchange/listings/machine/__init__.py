"""How a listing moves: the state machine of rights.md, pure, with the time passed in.

A ``Listing`` is a value. Each function takes one, checks that who acts may do this in this state, and
returns the listing after it, or raises ``Refusal`` with its reason. Nothing here knows of tables, signatures
or the clock; ``exchange.listings.desk`` verifies statements, calls these and stores what they return.
"""

from exchange.listings.machine.allowed import ALLOWED, Act, Actor, Party
from exchange.listings.machine.disputes import raise_dispute, rule
from exchange.listings.machine.due import next_due, tick
from exchange.listings.machine.events import apply_event
from exchange.listings.machine.filing import join, open_listing
from exchange.listings.machine.listing import Listing, PastDebt, Source
from exchange.listings.machine.shown import RECALL_WITHIN, mark_of, recall_cause

__all__ = [
    "ALLOWED",
    "RECALL_WITHIN",
    "Act",
    "Actor",
    "Listing",
    "Party",
    "PastDebt",
    "Source",
    "apply_event",
    "join",
    "mark_of",
    "next_due",
    "open_listing",
    "raise_dispute",
    "recall_cause",
    "rule",
    "tick",
]
