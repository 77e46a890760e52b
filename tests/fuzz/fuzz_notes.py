"""Fuzz the parsers of the log's formats, guided by coverage (https://github.com/google/atheris).

    python tests/fuzz/fuzz_notes.py -runs=1000000

Arguments are libFuzzer's; a directory among them is a corpus to read and to grow. Without one the seeds
of ``parsers.py`` are used, and what is found beyond them is thrown away.
"""

import importlib
import sys
import tempfile
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Run until libFuzzer's limits are reached, or a promise of ``parsers.check`` is broken."""
    atheris = importlib.import_module("atheris")  # it has neither stubs nor a wheel off Linux
    with atheris.instrument_imports(include=["concordat.trust", "tests.fuzz.parsers"]):
        parsers = importlib.import_module("tests.fuzz.parsers")

    def run(raw: bytes) -> None:
        parsers.check(raw)

    with tempfile.TemporaryDirectory() as folder:
        if all(argument.startswith("-") for argument in arguments[1:]):
            for number, seed in enumerate(parsers.SEEDS):
                (Path(folder) / str(number)).write_bytes(seed)
            arguments = [*arguments, folder]
        atheris.Setup(arguments, run)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
