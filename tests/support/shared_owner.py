"""A program that owns or holds shared objects: tests run it in a process of its own, and end it in some way.

    python shared_owner.py owns | holds NAME | reads FILE

It says on its standard output when it is ready, and goes on at a line of its standard input.
"""

import pickle
import sys

import farpool


def owns() -> None:
    """One object of each kind, each with some content."""
    manager = farpool.Manager()
    queue, event, value = manager.Queue(2), manager.Event(), manager.Value("i", 1)
    queue.put("item")
    event.set()
    array = manager.Array("d", [1, 2])
    left, right = farpool.Pipe()
    left.send(1)
    filled = [manager.dict(a=1), manager.list([1]), manager.Namespace(x=1)]
    lock, semaphore = manager.Lock(), manager.Semaphore(2)
    lock.acquire()
    semaphore.acquire()
    others = manager.Condition(), manager.Barrier(2)
    say("ready")
    sys.stdin.readline()
    del queue, value, array, right, filled, others


def holds(name: str) -> None:
    """A lock, until told otherwise; then it says how the release went."""
    lock = farpool.Lock(name=name)
    lock.acquire()
    say(str(lock.fence))
    sys.stdin.readline()
    try:
        lock.release()
    except farpool.LeaseLostError:
        say("lost")
    else:
        say("released")


def reads(path: str) -> None:
    """A pickled queue: puts an item back with something added."""
    with open(path, "rb") as file:
        queue = pickle.load(file)
    queue.put((queue.get(timeout=30), "seen"))
    say("ready")


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
