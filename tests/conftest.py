"""What tests of every room share: the ONIX sample files, seeded chance, and the rule about skips on CI."""

import os
import random
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["pytester", "tests.skips"]

ROOT = Path(__file__).parents[1]
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(2**32))

# A machine that is busy with something else is no bug; a falsifying example should be easy to run again.
settings.register_profile("here", deadline=None, print_blob=True)
if not os.environ.get("CI"):
    settings.load_profile("here")


def pytest_report_header() -> str:
    """Name the seed before the first test runs."""
    return f"seed: {SEED} (SEED={SEED} repeats this run's chance)"


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def onix_samples() -> Path:
    """The folder of real ONIX files; tests that ask for it are skipped where it is absent."""
    folder = Path(os.environ.get("ONIX_SAMPLES") or ROOT.parent / "shared" / "onix-samples")
    if not folder.is_dir():
        pytest.skip(f"ONIX_SAMPLES: no sample files, for ../shared/onix-samples is absent ({folder})")
    return folder


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Chance of its own for each test, whatever runs before it; a failing test shows the seed among its output."""
    print(f"SEED={SEED}")
    return random.Random(f"{SEED} {request.node.nodeid}")
