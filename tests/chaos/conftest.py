"""Harm is done to real daemons on real servers, and nothing of it may be left."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, leaves_nothing: None) -> None:
    """See `leaves_nothing`."""
