"""Go from Debian's archive, unpacked below the project: no root, and nothing installed.

Which packages and versions is up to the machine's own sources of packages.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Self

from rich.console import Console

WANTED = ("golang-go", "golang-golang-x-mod-dev")

_CLOSURE = (
    "--recurse",
    "--no-recommends",
    "--no-suggests",
    "--no-conflicts",
    "--no-breaks",
    "--no-replaces",
    "--no-enhances",
)
# The rest of what they depend on is the C library, which is there.
_OURS = re.compile(r"^golang-[a-z0-9.+-]+$", re.MULTILINE)


class NoDebianError(Exception):
    """The machine has no ``apt-get`` to fetch packages with."""


class Go:
    """A Go toolchain in ``folder``, which builds offline, without modules, from Debian's sources."""

    def __init__(self, folder: Path) -> None:
        """Use what ``unpacked`` left in ``folder``."""
        root = folder / "root"
        goroot = (root / "usr/lib/go").resolve()
        self._bin = goroot / "bin"
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": os.environ.get("TMPDIR", ""),
            "GOROOT": str(goroot),
            "GOPATH": str(root / "usr/share/gocode"),
            "GOCACHE": str(folder / "go-cache"),
            "GO111MODULE": "off",
            "GOENV": "off",
            "GOFLAGS": "",
            "GOPROXY": "off",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
        }

    @classmethod
    def unpacked(cls, folder: Path, console: Console) -> Self:
        """Fetch and unpack the packages unless they are there.

        Raises ``NoDebianError``, and ``CalledProcessError`` where the archive does not answer.
        """
        if not (folder / "root").is_dir():
            _fetch(folder, console)
        return cls(folder)

    def run(self, program: str, *arguments: str | Path) -> str:
        """Run ``go`` or ``gofmt`` and return its output; raise ``CalledProcessError``."""
        command = [self._bin / program, *arguments]
        return subprocess.run(
            command, env=self._environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout


def _fetch(folder: Path, console: Console) -> None:
    if not (shutil.which("apt-get") and shutil.which("apt-cache") and shutil.which("dpkg-deb")):
        raise NoDebianError
    fresh, packages = folder / "root.new", folder / "packages"
    for path in (fresh, packages):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    options = _private(folder / "apt")
    console.print("Reading the archive's package lists")
    _apt(packages, "apt-get", *options, "-qq", "update")
    closure = _apt(packages, "apt-cache", *options, "depends", *_CLOSURE, *WANTED)
    names = sorted(set(_OURS.findall(closure)))
    console.print(f"Fetching {', '.join(names)}: some 80 MB, once")
    _apt(packages, "apt-get", *options, "-qq", "download", *names)
    files = sorted(packages.glob("*.deb"))
    for file in files:
        console.print(f"Unpacking {file.name.partition('_')[0]}")
        _apt(packages, "dpkg-deb", "-x", str(file), str(fresh))
    fresh.rename(folder / "root")  # whole or not at all
    shutil.rmtree(packages)
    shutil.rmtree(folder / "apt")


def _private(folder: Path) -> list[str]:
    """Return options that keep apt's lists and caches in ``folder``, so that it needs no root."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return [
        f"-oDir::State={folder / 'state'}",
        "-oDir::State::status=/var/lib/dpkg/status",
        f"-oDir::Cache={folder / 'cache'}",
        "-oAPT::Sandbox::User=root",  # else root's apt hands the download to a user who may not write here
        "-oAcquire::Retries=3",
    ]


def _apt(folder: Path, *command: str) -> str:
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout
