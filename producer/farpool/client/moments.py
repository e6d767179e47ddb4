"""When copies of what several processes share are brought up to date: before a call is sent, after a result came.

Nothing is registered, and nothing costs anything, before a program has opened shared memory.
"""

import logging
from collections.abc import Callable

from farpool_common.errors import FarpoolError

logger = logging.getLogger("farpool")

before_calls: list[Callable[[], None]] = []
"""Write what was changed here."""

after_results: list[Callable[[], None]] = []
"""Read what others have changed."""


def see_to(steps: list[Callable[[], None]]) -> None:
    """Take these steps; an outage leaves them to the next moment."""
    for step in list(steps):
        try:
            step()
        except FarpoolError as error:
            logger.warning("shared memory is not up to date: %s", error)
