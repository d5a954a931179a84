"""A small part of the demo archive, made once a session."""

from pathlib import Path

import pytest

PART = {
    "models": ["IPSL-CM6A-LR", "MIROC-ES2L", "AWI-CM-1-1-MR"],
    "experiments": ["historical", "ssp126", "abrupt-4xCO2"],
    "variables": ["tas", "pr", "areacella", "sftlf", "nbp", "cVeg", "rsdt", "rsut", "rlut"],
}


@pytest.fixture(scope="session")
def part(tmp_path_factory) -> Path:
    from spread.demo import make_archive

    return make_archive(tmp_path_factory.mktemp("demo") / "part", workers=2, **PART).parent
