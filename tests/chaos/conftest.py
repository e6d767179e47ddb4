"""Harm is done to real daemons on real servers, and nothing of it may be left."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]  # the journal of tasks is shared with the benchmarks


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, leaves_nothing: None) -> None:
    """See `leaves_nothing`."""
