"""A whole federation on one machine: real processes, real mTLS, throw-away keys, real scores.

For trying things out (``concordat sandbox up``), for the demo, and as the fixture of the tests that
need more than one process. Nothing of it is for production: every key lies in one folder, in clear.
"""

from clients.sandbox.cast import (
    APPEALS,
    COURT,
    EXCHANGE,
    LENDER,
    OTHER_LENDER,
    REGISTRAR,
    REGULATOR,
    REVIEWER,
    UNLICENSED,
)
from clients.sandbox.federation import Sandbox
from clients.sandbox.furnishing import Debt, Furnisher
from clients.sandbox.people import Person
from clients.sandbox.processes import SandboxError, ServerProcess
from clients.sandbox.wallets import Wallet

__all__ = [
    "APPEALS",
    "COURT",
    "EXCHANGE",
    "LENDER",
    "OTHER_LENDER",
    "REGISTRAR",
    "REGULATOR",
    "REVIEWER",
    "UNLICENSED",
    "Debt",
    "Furnisher",
    "Person",
    "Sandbox",
    "SandboxError",
    "ServerProcess",
    "Wallet",
]
