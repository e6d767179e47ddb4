"""What is given to many tasks: stored once, fetched once per host, read-only, and gone with the last reference."""

import gc
import os
import pickle
import signal
import subprocess
import sys
import textwrap
from functools import partial
from itertools import repeat

import numpy as np
import pytest
import tasks
from daemons import daemons, lines, wait_for
from pages import blocks, run_script
from stored_keys import stored_keys, wait_until_nothing_is_stored

import farpool
from farpool import Executor, MalformedTaskError, ObjectExpiredError, as_completed
from farpool_common.broker import connect

PAGE = "docs/shared-values.md"
MEGABYTES = 8
ALL_SIZES = pytest.mark.parametrize("chunksize", [1, 7, "auto"])


@pytest.fixture
def big(seed):
    return np.random.default_rng(seed).random(MEGABYTES * 125_000)


@pytest.fixture(autouse=True)
def _nothing_stays_stored(host, server, client):
    """Every test's references go with it, and what they stood for."""
    yield
    with connect(host.url) as other:
        wait_until_nothing_is_stored(client, other)


def traffic(client):
    stats = client.info("stats")
    return np.array([stats["total_net_input_bytes"], stats["total_net_output_bytes"]]) / 1e6


def mapped(daemon):
    """Files of shared memory that children of a daemon have mapped read-only, by child."""
    return [
        sum(
            each.path.startswith("/memfd:") and each.perms.startswith("r--s")
            for each in child.memory_maps(grouped=False)
        )
        for child in daemon.children()
    ]


# --- once --------------------------------------------------------------------------------------


@ALL_SIZES
def test_an_array_for_many_calls_is_stored_once_and_fetched_once_per_host(server, client, tmp_path, big, chunksize):
    with daemons(server.url, tmp_path, "host1", "host2", options=("-c", "2")), Executor(server.url) as executor:
        before = traffic(client)
        found = list(
            executor.map(
                tasks.slow_sum, repeat(big), [str(tmp_path / "journal")] * 60, [0.01] * 60, chunksize=chunksize
            )
        )
        received, sent = traffic(client) - before
        assert {total for _, total in found} == {big.sum()}
        assert len({pid for pid, _ in found}) == 4
        assert MEGABYTES <= received < 1.5 * MEGABYTES
        assert 2 * MEGABYTES <= sent < 2.5 * MEGABYTES
        wait_for(lambda: stored_keys(client) == [])


@pytest.mark.parametrize(
    "inputs",
    [
        lambda big: (tasks.takes_two, [big] * 6, range(6)),
        lambda big: (tasks.takes_two, repeat(big), range(6)),
        lambda big: (tasks.takes_two, repeat(big, 6), range(6)),
        lambda big: (partial(tasks.takes_two, big), range(6)),
        lambda big: (partial(tasks.takes_pair, factor=1), [(big, n) for n in range(6)]),
    ],
    ids=["list", "repeat", "repeat n", "partial", "tuples"],
)
@ALL_SIZES
def test_an_array_that_calls_of_a_map_share_arrives_read_only(executor, big, inputs, chunksize):
    fn, *iterables = inputs(big)
    assert list(executor.map(fn, *iterables, chunksize=chunksize)) == [(False, big[n] * n) for n in range(6)]


@ALL_SIZES
def test_an_array_of_one_call_arrives_writable(executor, big, chunksize):
    others = [big + n for n in range(2)]
    results = executor.map(tasks.takes_two, others, range(1, 3), chunksize=chunksize)
    assert list(results) == [(True, others[0][1]), (True, others[1][2] * 2)]


def test_an_array_that_changes_between_submits_arrives_as_it_was_submitted(executor, big):
    sums = []
    for number in range(3):
        big[0] = number
        sums.append((executor.submit(tasks.takes_two, big, 0).result(), big[0]))
    assert sums == [((True, 0.0), 0), ((True, 0.0), 1), ((True, 0.0), 2)]


# --- references --------------------------------------------------------------------------------


def test_a_reference_arrives_as_the_array_itself_read_only_and_the_error_says_what_to_do(executor, big):
    ref = executor.put(big)
    assert executor.submit(tasks.takes_two, ref, 3).result() == (False, big[3] * 3)
    with pytest.raises(ValueError, match="read-only") as caught:
        executor.submit(tasks.changed_in_place, ref).result()
    assert any("array.copy()" in note for note in caught.value.__notes__)
    assert executor.submit(tasks.takes_two, ref, 3).result() == (False, big[3] * 3)
    assert np.array_equal(ref.get(), big)


def test_references_may_be_inside_containers_and_keywords(executor, big):
    ref, small = executor.put(big), executor.put(np.arange(4.0))
    found = executor.submit(tasks.sums_inside, {"arrays": [ref, small, ref]}, extra=small).result()
    assert found == [big.sum(), 6.0, big.sum(), 6.0]


def test_any_value_that_can_travel_can_be_put(executor):
    values = {f"key {n}": n for n in range(100_000)}
    ref = executor.put(values)
    assert list(executor.map(tasks.length, [ref] * 5)) == [100_000] * 5
    assert ref.get() == values
    with pytest.raises(farpool.EncodeError, match="cannot travel"):
        executor.put(open)


def test_an_initializer_may_be_given_a_reference(host, big):
    ref = farpool.put(big, Executor(host.url))
    with Executor(host.url, initializer=tasks.keep, initargs=(ref,)) as executor:
        assert list(executor.map(tasks.kept_sum, range(3))) == [(False, big.sum() + n) for n in range(3)]


def test_put_without_an_executor_uses_the_server_of_the_environment(host, executor, big, monkeypatch):
    monkeypatch.setenv("FARPOOL_URL", host.url)
    ref = farpool.put(big)
    assert executor.submit(tasks.takes_two, ref, 1).result() == (False, big[1])


def test_two_producers_that_put_the_same_share_it_and_the_last_one_removes_it(executor, host, big, tmp_path):
    with connect(host.url) as client:
        ref = executor.put(big)
        count = len(stored_keys(client))
        np.save(tmp_path / "big.npy", big)
        script = f"""
            import numpy as np, farpool
            print(farpool.put(np.load({str(tmp_path / "big.npy")!r}), farpool.Executor({host.url!r})).id)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)], check=True, capture_output=True, text=True
        )
        assert done.stdout.strip() == ref.id
        assert len(stored_keys(client)) == count
        assert executor.submit(tasks.takes_two, ref, 1).result() == (False, big[1])
        del ref
        wait_for(lambda: stored_keys(client) == [])


# --- life and death ----------------------------------------------------------------------------


def test_calls_keep_what_they_were_given_until_they_are_over(executor, host, big, tmp_path):
    go = tmp_path / "go"
    with connect(host.url) as client:
        futures = [executor.submit(tasks.sum_when_told, executor.put(big), str(go)) for _ in range(4)]
        gc.collect()
        assert stored_keys(client) != []
        go.touch()
        assert {future.result() for future in as_completed(futures)} == {big.sum()}
        del futures
        wait_for(lambda: stored_keys(client) == [])


def test_hosts_and_their_processes_let_go_of_what_is_gone_from_the_server(server, client, tmp_path, big):
    with daemons(server.url, tmp_path, "host1") as (daemon,), Executor(server.url) as executor:
        ref = executor.put(big)
        executor.submit(tasks.takes_two, ref, 1).result()
        assert mapped(daemon) == [1]
        del ref
        wait_for(lambda: stored_keys(client) == [])
        wait_for(lambda: mapped(daemon) == [0])


def test_what_a_killed_producer_had_put_expires_and_a_living_one_s_does_not(server, client, big):
    script = textwrap.dedent(f"""
        import numpy, farpool, time
        ref = farpool.put(numpy.arange(500_000.0), farpool.Executor({server.url!r}))
        print("stored", flush=True)
        time.sleep(60)
    """)
    environ = os.environ | {"FARPOOL_OBJECT_SECONDS": "1"}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environ) as producer:
        assert producer.stdout.readline() == b"stored\n"
        head = next(key for key in client.keys("rq:farpool:object:*") if key.count(b":") == 3)
        renewals, last = 0, client.pttl(head)
        while renewals < 6:  # within the expiry it is renewed four times
            now = client.pttl(head)
            assert now > 0, "it expired though its producer lives"
            renewals, last = renewals + (now > last), now
        producer.send_signal(signal.SIGKILL)
    wait_for(lambda: stored_keys(client) == [])


def test_a_forked_child_leaves_its_parent_s_objects_alone(executor, host, big):
    ref = executor.put(big)
    pid = os.fork()
    if pid == 0:
        is_right = np.array_equal(ref.get(), big)
        del ref
        gc.collect()
        os._exit(0 if is_right else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert executor.submit(tasks.takes_two, ref, 1).result() == (False, big[1])


@pytest.mark.parametrize("pattern", ["rq:farpool:object:*", "rq:farpool:object:*:1:3"], ids=["all of it", "one piece"])
def test_a_call_with_an_object_that_is_gone_fails_with_advice_and_others_go_on(executor, host, big, pattern):
    with connect(host.url) as client:
        ref = executor.put(big)
        client.delete(*client.keys(pattern))
        error = executor.submit(tasks.takes_two, ref, 1).exception()
        assert isinstance(error, ObjectExpiredError)
        assert "Put the value again" in str(error)
        assert executor.submit(tasks.square, 3).result() == 9
        again = executor.put(big)
        assert executor.submit(tasks.takes_two, again, 1).result() == (False, big[1])


def test_a_process_that_dies_is_replaced_by_one_that_gets_the_objects_too(executor, big, journal):
    ref = executor.put(big)
    assert executor.submit(tasks.dies_once_with, ref, str(journal)).result() == big.sum()
    assert lines(journal) == ["ran", "ran"]


def test_objects_that_no_task_needs_make_room_and_come_again(server, client, tmp_path, big):
    limit = str(20_000_000)
    with (
        daemons(server.url, tmp_path, "host1", FARPOOL_OBJECT_BYTES=limit) as (daemon,),
        Executor(server.url) as executor,
    ):
        arrays = [big + n for n in range(5)]
        refs = [executor.put(array) for array in arrays]
        for _ in range(2):
            for ref, array in zip(refs, arrays, strict=True):
                assert executor.submit(tasks.takes_two, ref, 1).result() == (False, array[1])
        wait_for(lambda: mapped(daemon) == [2])
        everything = executor.submit(tasks.sums_inside, {"arrays": refs}, extra=refs[0]).result()
        assert everything == [array.sum() for array in (*arrays, arrays[0])]
        wait_for(lambda: mapped(daemon) == [2])


# --- from outside ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head", [b"\xc1", b"\x90", b"\x91\x92\xcf" + b"\xff" * 8 + b"\x00", b"\x91\x92\xce\x7f\xff\xff\xff\x00"]
)
def test_a_spoiled_head_fails_the_call_and_not_the_daemon(executor, host, big, head):
    with connect(host.url) as client:
        ref = executor.put(big)
        client.set(f"rq:farpool:object:{ref.id}", head)
        with pytest.raises((farpool.DecodeError, ObjectExpiredError)):
            executor.submit(tasks.takes_two, ref, 1).result()
        assert executor.submit(tasks.square, 3).result() == 9


def queued_record(client):
    """The key of the one record whose task waits in the queue."""
    wait_for(lambda: client.llen("rq:queue:default"))
    (task_id,) = client.lrange("rq:queue:default", 0, -1)
    return b"rq:job:" + task_id


@pytest.mark.parametrize("ids", ["../x", "a" * 31, "f" * 32 + " x", " "])
def test_a_record_with_other_ids_is_malformed(server, client, tmp_path, ids):
    with daemons(server.url, tmp_path, "host1"), Executor(server.url) as executor:
        client.set("rq:suspended", 1)
        future = executor.submit(tasks.square, 3)
        client.hset(queued_record(client), "farpool_objects", ids)
        client.delete("rq:suspended")
        with pytest.raises(MalformedTaskError, match="farpool_objects"):
            future.result()


def test_a_call_whose_record_does_not_name_its_object_fails(executor, host, big):
    with connect(host.url) as client:
        ref = executor.put(big)
        client.set("rq:suspended", 1)
        future = executor.submit(tasks.takes_two, ref, 1)
        assert client.hdel(queued_record(client), "farpool_objects")
        client.delete("rq:suspended")
        with pytest.raises(farpool.DecodeError, match="does not name stored object"):
            future.result()


def test_the_program_of_the_documentation_runs(server, tmp_path):
    (program,) = blocks(PAGE, "python")
    assert run_script(program, tmp_path, "-m", "farpool", "run") == "500159.256\n"


def test_references_travel_as_arguments_only(executor, big):
    ref = executor.put(big)
    with pytest.raises(farpool.EncodeError, match="as an argument"):
        farpool.Serializer.dumps(ref)
    with pytest.raises(farpool.EncodeError, match="as an argument"):
        executor.put([ref])
    with pytest.raises(TypeError, match="as an argument"):
        pickle.dumps(ref)
    assert executor.put(ref) is ref
