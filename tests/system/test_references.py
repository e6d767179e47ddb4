"""Results that stay with the workers: what comes is a reference, and what it stands for goes with it."""

import gc
import os
import subprocess
import sys
import textwrap

import pytest
import tasks
from bench.relay import relayed
from daemons import SUPPORT, daemons, wait_for
from stored_keys import stored_keys, wait_until_nothing_is_stored

from farpool import Executor, ObjectExpiredError, Ref, ResultError, SettingsError
from farpool_common.broker import connect

LENGTH = 400_000
"""Of an array of 3.2 MB."""


@pytest.fixture(autouse=True)
def _nothing_stays_stored(host, server, client):
    yield
    with connect(host.url) as other:
        wait_until_nothing_is_stored(client, other)


def test_a_result_goes_from_call_to_call_without_coming_here(server, client, tmp_path):
    with (
        daemons(server.url, tmp_path, "host1", "host2"),
        relayed(server.url) as relay,
        Executor(relay.url) as executor,
    ):
        keeping = executor.options(returns="reference")
        found = keeping.submit(tasks.ones, LENGTH).result()
        for _ in range(4):
            found = keeping.submit(tasks.doubled, found).result()
        assert isinstance(found, Ref)
        assert found.nbytes > LENGTH * 8
        assert executor.submit(tasks.mean, found).result() == 16.0
        assert relay.sent < 100_000
        assert relay.received < 100_000
        assert (found.get() == 16.0).all()
        assert relay.received > LENGTH * 8
        del found
        wait_for(lambda: stored_keys(client) == [])


@pytest.mark.parametrize("chunksize", [1, 7, "auto"])
def test_maps_give_a_reference_for_each_call(executor, chunksize):
    refs = list(executor.options(returns="reference").map(tasks.square, range(50), chunksize=chunksize))
    assert [ref.get() for ref in refs] == [number * number for number in range(50)]


def test_references_from_several_calls_are_given_inside_a_list(executor):
    keeping = executor.options(returns="reference")
    refs = [keeping.submit(tasks.square, number).result() for number in range(4)]
    assert executor.submit(tasks.mean, refs).result() == 3.5


def test_what_is_stored_goes_with_the_reference(executor, host):
    ref = executor.options(returns="reference").submit(tasks.square, 7).result()
    with connect(host.url) as client:
        assert stored_keys(client)
        del ref
        wait_for(lambda: stored_keys(client) == [])


def test_equal_results_are_objects_of_their_own(executor):
    keeping = executor.options(returns="reference")
    first, second = (keeping.submit(tasks.square, 3).result() for _ in range(2))
    assert first.id != second.id
    del first
    gc.collect()
    assert executor.submit(tasks.square, second).result() == 81


def test_failures_and_results_that_cannot_be_stored_are_raised_as_ever(executor):
    keeping = executor.options(returns="reference")
    with pytest.raises(ValueError, match="oh"):
        keeping.submit(tasks.fails, "oh").result()
    with pytest.raises(ResultError, match=r"thread\.lock"):
        keeping.submit(tasks.gives_a_lock).result()


def test_a_result_that_is_lost_from_the_server_fails_the_call_that_needs_it(server, client, tmp_path):
    with (
        daemons(server.url, tmp_path, "host1", options=("-c", "1", "one")),
        daemons(server.url, tmp_path, "host2", options=("-c", "1", "two")),
        Executor(server.url) as executor,
    ):
        ref = executor.options(queue="one", returns="reference").submit(tasks.square, 3).result()
        client.delete(*stored_keys(client))
        with pytest.raises(ObjectExpiredError):
            executor.options(queue="two").submit(tasks.square, ref).result()
        with pytest.raises(ObjectExpiredError):
            ref.get()


PRODUCER = textwrap.dedent(
    """
    import os, sys
    import tasks
    from farpool import Executor

    if __name__ == "__main__":
        executor = Executor(sys.argv[1])
        ref = executor.options(returns="reference").submit(tasks.square, 3).result()
        print(ref.id, flush=True)
        os._exit(0)
    """
)


def test_results_of_a_producer_that_died_expire(server, client, tmp_path):
    (tmp_path / "script.py").write_text(PRODUCER)
    environ = os.environ | {"PYTHONPATH": str(SUPPORT), "FARPOOL_OBJECT_SECONDS": "1"}
    with daemons(server.url, tmp_path, "host1"):
        command = [sys.executable, str(tmp_path / "script.py"), server.url]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
        assert len(done.stdout.strip()) == 32
        wait_for(lambda: stored_keys(client) == [])


def test_another_word_than_value_or_reference_is_refused(executor):
    with pytest.raises(SettingsError, match="reference"):
        executor.options(returns="ref")
