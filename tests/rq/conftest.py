"""Every test beside RQ must leave no process and nothing in the temporary folder."""

import pytest


@pytest.fixture(autouse=True)
def _nothing_is_left(leaves_nothing):
    """Compares before and after."""
