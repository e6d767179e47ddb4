"""The pool that benchmarks run on: a real server and worker daemons on this machine."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from unittest import mock
from weakref import WeakKeyDictionary

from bench.conditions import CONDITIONS
from farpool import Executor
from farpool.embedded import LocalPool
from farpool_common.shared import SharedFolder

ROOT = Path(__file__).parent.parent
_URLS = WeakKeyDictionary[Executor, str]()


@contextmanager
def executor(daemons: int = 2, slots: int = 1, *, shares_memory: bool = True) -> Iterator[Executor]:
    """An executor on so many daemons with so many slots each.

    Without `shares_memory` large arrays pass through the server, as between hosts.
    """
    plan = [(f"host{number}", slots) for number in range(daemons)]
    no_folder = nullcontext() if shares_memory else mock.patch.object(SharedFolder, "created", return_value=None)
    with ExitStack() as stack:
        with no_folder:  # for this pool only: another may be beside it
            pool = stack.enter_context(LocalPool(plan, paths=[ROOT]))
        CONDITIONS.prepare(pool.url)
        found = stack.enter_context(Executor(pool.url))
        _URLS[found] = pool.url
        yield found


def url_of(pool: Executor) -> str:
    """Of the server behind an executor, for `measured`."""
    return _URLS[pool]
