"""Who may import whom.

The parties of a federation run in different houses. If a provider's code could reach into the
exchange's, then one day it would trust something that only the exchange has checked.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PARTIES = frozenset({"provider", "exchange", "registrar", "witness", "clients"})
OURS = PARTIES | {"concordat"}
NO_INPUT_OUTPUT = frozenset({"grpc", "grpc_health", "grpc_reflection", "grpc_status", "sqlalchemy"})


@dataclass(frozen=True)
class Rule:
    """Modules inside `package` import nothing inside `forbidden`, save what is in `allowed`."""

    package: str
    forbidden: frozenset[str]
    allowed: frozenset[str] = frozenset()


RULES = [
    *(Rule(party, PARTIES - {party}) for party in sorted(PARTIES)),
    Rule("concordat", PARTIES),
    Rule("concordat.trust", OURS | NO_INPUT_OUTPUT, allowed=frozenset({"concordat.trust"})),
    Rule("concordat.verify", NO_INPUT_OUTPUT | {"concordat.rpc"}),
]


def within(module: str, packages: frozenset[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def imported_modules(source: str, module: str, *, is_package: bool) -> Iterator[tuple[int, str]]:
    """Yield the line and the absolute name of everything imported, inside functions too.

    ``from a import b`` yields ``a.b``, since `b` may be a module.
    """
    here = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=target, names=names, level=level):
                base = here[: len(here) - level + 1] if level else []
                stem = ".".join([*base, *([target] if target else [])])
                yield from ((node.lineno, f"{stem}.{alias.name}") for alias in names)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[first, *_]) if (
                name in {"import_module", "__import__"}
            ):
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield node.lineno, first.value


def violations(
    source: str, module: str, rules: list[Rule], *, is_package: bool = False
) -> list[str]:
    return [
        f"{module}:{line} imports {imported}, which {rule.package} must not"
        for line, imported in imported_modules(source, module, is_package=is_package)
        for rule in rules
        if within(module, frozenset({rule.package}))
        and within(imported, rule.forbidden)
        and not within(imported, rule.allowed)
    ]


def our_files() -> list[Path]:
    return sorted(path for name in OURS for path in (ROOT / name).rglob("*.py"))


def test_no_module_imports_what_its_party_must_not_reach() -> None:
    found = []
    for path in our_files():
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        found += violations(path.read_text("utf-8"), module, RULES, is_package=is_package)
    assert not found, "\n".join(found)


def test_the_walk_sees_the_shared_library() -> None:
    assert ROOT / "concordat" / "v1" / "__init__.py" in our_files()


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("provider.guard", "import exchange", id="plain"),
        pytest.param("provider.guard", "import exchange.views as v", id="renamed"),
        pytest.param("exchange.main", "from clients.sdk import lender", id="from"),
        pytest.param("exchange.main", "def f():\n    import registrar.main", id="in-a-function"),
        pytest.param("clients.sandbox.up", "if True:\n    from provider import main", id="sandbox"),
        pytest.param("clients.cli.main", "import_module('exchange.main')", id="by-name"),
        pytest.param(
            "registrar.main", "importlib.import_module('clients')", id="by-qualified-name"
        ),
        pytest.param("witness.serve", "from registrar.check import Finding", id="witness"),
        pytest.param("exchange.log.publish", "from witness import rules", id="of-the-witness"),
        pytest.param("concordat.rpc.server", "import provider", id="shared-imports-party"),
        pytest.param("concordat.trust.keys", "from concordat import v1", id="trust-imports-ours"),
        pytest.param("concordat.trust.keys", "from ..v1 import Consent", id="trust-relative"),
        pytest.param("concordat.trust.keys", "from .. import v1", id="trust-relative-package"),
        pytest.param("concordat.trust.keys", "import grpc.aio", id="trust-imports-grpc"),
        pytest.param(
            "concordat.verify.view", "from sqlalchemy import Table", id="verify-imports-sql"
        ),
    ],
)
def test_a_forbidden_import_is_found(module: str, source: str) -> None:
    assert len(violations(source, module, RULES)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("provider.guard", "from provider.store import Scores", id="own-party"),
        pytest.param("provider.guard", "from concordat.trust import keys", id="shared"),
        pytest.param("provider.guard", "import exchangelib", id="a-longer-name"),
        pytest.param("concordat.trust.envelope", "from .keys import Signer", id="trust-itself"),
        pytest.param("concordat.trust.envelope", "from cryptography import x509", id="third-party"),
        pytest.param(
            "concordat.verify.view", "from concordat import v1", id="verify-reads-messages"
        ),
    ],
)
def test_a_permitted_import_is_not(module: str, source: str) -> None:
    assert violations(source, module, RULES) == []


def test_a_relative_import_in_a_package_starts_at_the_package() -> None:
    source = "from .keys import Signer\nfrom ..v1 import Consent"
    found = violations(source, "concordat.trust", RULES, is_package=True)
    assert found == [
        "concordat.trust:2 imports concordat.v1.Consent, which concordat.trust must not"
    ]
