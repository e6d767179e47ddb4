"""Ids of tasks and leases: nobody else has them, whoever asks, in whichever process."""

import os
import re

from farpool_common.ids import new_id


def _ids(count: int) -> list[str]:
    return [new_id() for _ in range(count)]


def test_ids_are_32_hexadecimal_digits_and_differ() -> None:
    ids = _ids(1000)
    assert all(re.fullmatch("[0-9a-f]{32}", found) for found in ids)
    assert len(set(ids)) == 1000


def test_a_forked_process_makes_others_than_its_parent() -> None:
    new_id()  # some are ready, and the child inherits them
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, " ".join(_ids(1000)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        theirs = pipe.read().split()
    os.waitpid(pid, 0)
    assert len(theirs) == 1000
    assert not set(theirs) & set(_ids(1000))
