"""A whole federation on one machine: real processes, real mTLS, throw-away keys, real scores.

For trying things out (``concordat sandbox up``), for the demo, and as the fixture of the tests that
need more than one process. Nothing of it is for production: every key lies in one folder, in clear.
"""

from clients.sandbox.cast import (
    EXCHANGE,
    LENDER,
    OTHER_LENDER,
    REGISTRAR,
    REGULATOR,
    UNLICENSED,
)
from clients.sandbox.federation import Sandbox
from clients.sandbox.people import Person
from clients.sandbox.processes import SandboxError, ServerProcess

__all__ = [
    "EXCHANGE",
    "LENDER",
    "OTHER_LENDER",
    "REGISTRAR",
    "REGULATOR",
    "UNLICENSED",
    "Person",
    "Sandbox",
    "SandboxError",
    "ServerProcess",
]
