"""A script with an executor of its own, and no server, key or file of functions to begin with."""

import os
import sys
import threading

import psutil

import farpool_common.address

if "FARPOOL_URL" not in os.environ:
    farpool_common.address.DEFAULT_URL = "redis://localhost:1/0"  # where nothing answers

from farpool import Executor

LOCK = threading.Lock()


def under_lock(x: int) -> int:
    """Travels by name: its code could not be pickled, with that lock in it."""
    with LOCK:
        return x + 1


def variables() -> list[str]:
    return sorted(name for name in os.environ if "KEY" in name)


def main() -> None:
    shift = 5
    with Executor(initializer=lambda: None) as executor:
        print(list(executor.map(lambda x: x + shift, range(3))))
        print(list(executor.map(lambda x: x * shift, range(3), chunksize="auto")))
        print(executor.submit(under_lock, 1).result())
        print(executor.submit("{}-{}".format, 1, 2).result())
        print(executor.submit(variables).result())
        key = executor._session.server.key
        assert key is not None
        family = [psutil.Process(), *psutil.Process().children(recursive=True)]
        print(any(key.secret in " ".join(process.cmdline()) for process in family))
    if len(sys.argv) > 1:
        print(sys.argv[1])


if __name__ == "__main__":
    main()
