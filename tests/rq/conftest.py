"""Every test beside RQ must leave no process and nothing in the temporary folder."""

import signal

import pytest


@pytest.fixture(autouse=True)
def _nothing_is_left(leaves_nothing):
    """Compares before and after."""


@pytest.fixture(autouse=True)
def signal_handlers_as_before():
    """RQ's worker sets its own when it works in this process, and children of later tests would inherit them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
