"""Whatever a chapter starts must be gone with it."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, leaves_nothing: None) -> None:
    """See `leaves_nothing`; the test's own folder is there before and stays."""
