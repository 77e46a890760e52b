"""The same calibration and scores give the same bytes: in any process, on any processor, by any numpy."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from concordat.pooling import CompiledCalibration, pool
from tests.pooling_builders import random_calibration, random_heard

ROOT = Path(__file__).parents[4]
HASHES = ("0", "4711")

ELSEWHERE = """
import decimal, runpy, sys
for context in (decimal.DefaultContext, decimal.getcontext()):
    context.prec, context.rounding = 3, decimal.ROUND_UP
    context.Emin, context.Emax, context.clamp = -4, 4, 1
    context.traps[decimal.Inexact] = True
import numpy
digest = runpy.run_path(sys.argv[1])["digest_of_many_results"]()
print(numpy.__version__, digest)
"""


def digest_of_many_results() -> str:
    """Return a digest over results that visit every part of the arithmetic."""
    whole = sha256()
    for seed in range(60):
        calibration = random_calibration(
            seed, 1 + seed % 32, extreme=seed % 3 == 0, switch=seed % 2 == 0
        )
        compiled = CompiledCalibration.from_message(calibration)
        for draw in range(4):
            unified = pool(compiled, random_heard(seed + 97 * draw, calibration))
            whole.update(unified.SerializeToString(deterministic=True))
    return whole.hexdigest()


def elsewhere(*, path: Path | None = None, **environment: str) -> list[str]:
    """Return numpy's version and the digest, of another process with a hostile decimal context."""
    paths = [str(path)] * bool(path) + [str(ROOT), os.environ.get("PYTHONPATH", "")]
    ran = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, __file__],
        capture_output=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        text=True,
    )
    return ran.stdout.split()


@pytest.fixture(scope="module")
def here() -> str:
    return digest_of_many_results()


@pytest.mark.parametrize("seed", HASHES)
def test_another_process_with_other_hashes_and_decimal_context_gives_the_same_bytes(
    seed: str, here: str
) -> None:
    assert elsewhere(PYTHONHASHSEED=seed)[1] == here


def test_processor_without_vector_instructions_gives_the_same_bytes(here: str) -> None:
    # Only features that numpy was built to choose at run time can be turned off, where there are any.
    config = np.show_config(mode="dicts")
    present = config.get("SIMD Extensions", {}).get("found", [])
    if not present:
        pytest.skip("this processor has no feature that numpy would choose at run time")
    assert elsewhere(NPY_DISABLE_CPU_FEATURES=" ".join(present), OMP_NUM_THREADS="1")[1] == here


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_another_build_of_numpy_gives_the_same_bytes(here: str, tmp_path: Path) -> None:
    wanted = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    installed = subprocess.run(
        [*wanted, str(tmp_path), "--only-binary=:all:", "numpy==2.2.*"],
        capture_output=True,
        check=False,
        text=True,
    )
    if installed.returncode:
        pytest.skip(f"another numpy cannot be installed here: {installed.stderr[-200:]}")
    version, digest = elsewhere(path=tmp_path)
    assert version.startswith("2.2.")
    assert digest == here
