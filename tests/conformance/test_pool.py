"""`Pool`, as multiprocessing's and as ours."""

import multiprocessing
import pickle
import threading
from collections import namedtuple

import conformance_tasks as tasks
import numpy as np
import pytest

Case = namedtuple("Case", "name call")

RESULTS = [
    Case("apply", lambda pool: pool.apply(tasks.add, (1,), {"times": 3})),
    Case("apply_async", lambda pool: pool.apply_async(tasks.add, (1, 2)).get(30)),
    Case("map", lambda pool: pool.map(tasks.square, range(100))),
    Case("map_in_chunks", lambda pool: pool.map(tasks.square, range(100), 7)),
    Case("map_of_a_generator", lambda pool: pool.map(tasks.square, (number for number in range(9)))),
    Case("map_of_a_dict", lambda pool: pool.map(tasks.square, {3: "a", 1: "b"})),
    Case("map_of_an_array", lambda pool: [int(found) for found in pool.map(tasks.square, np.arange(9))]),
    Case("map_of_nothing", lambda pool: pool.map(tasks.square, [])),
    Case("map_async", lambda pool: pool.map_async(tasks.square, range(20)).get(30)),
    Case("map_async_of_nothing", lambda pool: pool.map_async(tasks.square, []).get(30)),
    Case("imap", lambda pool: list(pool.imap(tasks.square, range(50)))),
    Case("imap_in_chunks", lambda pool: list(pool.imap(tasks.square, range(50), 7))),
    Case("imap_of_nothing", lambda pool: list(pool.imap(tasks.square, []))),
    Case("imap_unordered", lambda pool: sorted(pool.imap_unordered(tasks.square, range(50)))),
    Case("imap_unordered_in_chunks", lambda pool: sorted(pool.imap_unordered(tasks.square, range(50), 7))),
    Case("starmap", lambda pool: pool.starmap(tasks.add, [(1, 2), (3, 4)])),
    Case("starmap_of_several_lengths", lambda pool: pool.starmap(tasks.add, [(1, 2), (3,)])),
    Case("starmap_of_nothing", lambda pool: pool.starmap(tasks.add, [])),
    Case("starmap_in_chunks", lambda pool: pool.starmap(tasks.add, zip(range(9), range(9), strict=True), 4)),
    Case("starmap_async", lambda pool: pool.starmap_async(tasks.add, [(1, 2), (3, 4)]).get(30)),
    Case("numpy", lambda pool: pool.map(tasks.process_array, range(8))),
]
EXPECTED = {
    "apply": 33,
    "apply_async": 3,
    "map": [number * number for number in range(100)],
    "map_in_chunks": [number * number for number in range(100)],
    "map_of_a_generator": [number * number for number in range(9)],
    "map_of_a_dict": [9, 1],
    "map_of_an_array": [number * number for number in range(9)],
    "map_of_nothing": [],
    "map_async": [number * number for number in range(20)],
    "map_async_of_nothing": [],
    "imap": [number * number for number in range(50)],
    "imap_in_chunks": [number * number for number in range(50)],
    "imap_of_nothing": [],
    "imap_unordered": [number * number for number in range(50)],
    "imap_unordered_in_chunks": [number * number for number in range(50)],
    "starmap": [3, 7],
    "starmap_of_several_lengths": [3, 13],
    "starmap_of_nothing": [],
    "starmap_in_chunks": [2 * number for number in range(9)],
    "starmap_async": [3, 7],
    "numpy": [tasks.process_array(seed) for seed in range(8)],
}


@pytest.mark.parametrize("case", RESULTS, ids=lambda case: case.name)
def test_a_method_gives_its_results(tools, case):
    with tools.Pool() as pool:
        assert case.call(pool) == EXPECTED[case.name]


def broken():
    yield 1
    raise OSError("no more inputs")


ERRORS = [
    ("apply", lambda pool: pool.apply(tasks.fail, ("no",)), ValueError, "no"),
    ("apply_async", lambda pool: pool.apply_async(tasks.fail, ("no",)).get(30), ValueError, "no"),
    ("map", lambda pool: pool.map(tasks.fail_at_three, range(9)), KeyError, "3"),
    ("map_async", lambda pool: pool.map_async(tasks.fail_at_three, range(9)).get(30), KeyError, "3"),
    ("imap", lambda pool: list(pool.imap(tasks.fail_at_three, range(9))), KeyError, "3"),
    ("imap_in_chunks", lambda pool: list(pool.imap(tasks.fail_at_three, range(9), 2)), KeyError, "3"),
    ("imap_unordered", lambda pool: list(pool.imap_unordered(tasks.fail_at_three, range(9))), KeyError, "3"),
    ("starmap", lambda pool: pool.starmap(tasks.fail_at_three, [(3,)]), KeyError, "3"),
    ("inputs_of_map", lambda pool: pool.map(tasks.square, broken()), OSError, "no more inputs"),
    ("inputs_of_imap", lambda pool: list(pool.imap(tasks.square, broken())), OSError, "no more inputs"),
    ("wrong_call", lambda pool: pool.apply(tasks.square), TypeError, "missing 1 required positional argument"),
    ("chunksize_of_imap", lambda pool: pool.imap(tasks.square, [1], 0), ValueError, r"Chunksize must be 1\+, not 0"),
    ("join_while_running", lambda pool: pool.join(), ValueError, "Pool is still running"),
    ("pickled", lambda pool: pickle.dumps(pool), NotImplementedError, "pool objects cannot be passed between proce"),
]


@pytest.mark.parametrize(("call", "error", "text"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS])
def test_a_method_raises_what_went_wrong(tools, call, error, text):
    with tools.Pool() as pool, pytest.raises(error, match=text):
        call(pool)


METHODS = ["apply", "apply_async", "map", "map_async", "imap", "imap_unordered", "starmap", "starmap_async"]


@pytest.mark.parametrize("end", ["close", "terminate"])
@pytest.mark.parametrize("method", METHODS)
def test_an_ended_pool_takes_no_calls(tools, method, end):
    pool = tools.Pool()
    getattr(pool, end)()
    with pytest.raises(ValueError, match=r"^Pool not running$"):
        getattr(pool, method)(tasks.square, [1])
    with pytest.raises(ValueError, match=r"^Pool not running$"):
        pool.__enter__()
    pool.terminate()
    pool.join()


@pytest.mark.parametrize("args", [{"processes": 0}, {"processes": -1}, {"maxtasksperchild": 0}])
def test_settings_that_cannot_be_meant_are_refused(tools, args):
    with pytest.raises(ValueError, match=r"at least 1|positive int or None"):
        tools.Pool.func(**args)


def test_an_initializer_must_be_callable(tools):
    with pytest.raises(TypeError, match="initializer must be a callable"):
        tools.Pool(initializer=1)


def test_an_initializer_runs_before_the_calls(tools):
    with tools.Pool(initializer=tasks.set_offset, initargs=(100,)) as pool:
        assert pool.map(tasks.add_offset, range(10)) == list(range(100, 110))


def test_what_was_taken_is_run_after_close(tools, tmp_path):
    pool, go = tools.Pool(), tmp_path / "go"
    waits = pool.apply_async(tasks.wait_for, (str(go),))
    mapped, lazily = pool.map_async(tasks.square, range(9)), pool.imap(tasks.square, range(9))
    pool.close()
    go.touch()
    pool.join()
    assert waits.get(0) == str(go)
    assert mapped.get(0) == list(lazily) == [number * number for number in range(9)]


def test_terminate_does_not_wait_for_calls(tools, tmp_path):
    pool, go = tools.Pool(), tmp_path / "go"
    waits = [pool.apply_async(tasks.note_start_and_wait, (str(tmp_path / str(n)), str(go))) for n in range(2)]
    tasks.wait_for(str(tmp_path / "0"))
    pool.terminate()
    pool.join()
    assert not go.exists()
    del waits


def test_leaving_the_block_terminates(tools, tmp_path):
    with tools.Pool() as pool:
        pool.apply_async(tasks.wait_for, (str(tmp_path / "never"),))
    pool.join()
    assert "state=TERMINATE" in repr(pool)


def test_a_pool_shows_its_state_and_size(tools):
    pool = tools.Pool()
    assert "Pool state=RUN pool_size=4>" in repr(pool)
    pool.close()
    assert "Pool state=CLOSE pool_size=4>" in repr(pool)
    pool.join()


def test_a_result_says_whether_it_is_ready(tools, tmp_path):
    go = tmp_path / "go"
    with tools.Pool() as pool:
        result = pool.apply_async(tasks.wait_for, (str(go),))
        assert not result.ready()
        with pytest.raises(ValueError, match="not ready"):
            result.successful()
        with pytest.raises(multiprocessing.TimeoutError):
            result.get(0.05)
        assert result.wait(0.05) is None
        go.touch()
        result.wait(30)
        assert (result.ready(), result.successful(), result.get()) == (True, True, str(go))
        failed = pool.map_async(tasks.fail_at_three, [3])
        failed.wait(30)
        assert (failed.ready(), failed.successful()) == (True, False)


@pytest.mark.parametrize("method", ["apply_async", "map_async", "starmap_async"])
def test_a_callback_is_called_before_the_result_is_there(tools, method):
    inputs = {"apply_async": (3,), "map_async": [3], "starmap_async": [(3,)]}[method]
    seen, failed = [], []
    with tools.Pool() as pool:
        call = getattr(pool, method)
        found = call(tasks.square, inputs, callback=seen.append, error_callback=failed.append).get(30)
        assert (seen, failed) == ([found], [])
        wrong = call(tasks.fail_at_three, inputs, callback=seen.append, error_callback=failed.append)
        with pytest.raises(KeyError):
            wrong.get(30)
        assert (len(seen), [type(error) for error in failed]) == (1, [KeyError])


def test_a_callback_may_call_again(tools):
    done = threading.Event()
    with tools.Pool() as pool:
        pool.apply_async(tasks.square, (2,), callback=lambda _: pool.apply_async(tasks.square, (3,), callback=tell))

        def tell(value):
            if value == 9:
                done.set()

        assert done.wait(30)


def test_imap_goes_on_after_an_exception(tools):
    with tools.Pool() as pool:
        results, seen = pool.imap(tasks.fail_at_three, range(6)), []
        while True:
            try:
                seen.append(next(results))
            except KeyError:
                seen.append("KeyError")
            except StopIteration:
                break
    assert seen == [0, 1, 4, "KeyError", 16, 25]


def test_imap_waits_for_the_first_and_imap_unordered_does_not(tools, tmp_path):
    go = str(tmp_path / "go")
    with tools.Pool() as pool:
        in_order = pool.imap(tasks.wait_for_one, [go, ""])
        with pytest.raises(multiprocessing.TimeoutError):
            in_order.next(timeout=0.1)
        tasks.note(go)
        assert list(in_order) == [go, ""]


def test_imap_reads_endless_inputs(tools):
    taken = threading.Event()

    def numbers():
        yield from range(5)
        taken.wait(60)

    with tools.Pool() as pool:
        results = pool.imap(tasks.square, numbers())
        assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
        taken.set()
        assert list(results) == []


def test_a_remote_traceback_is_shown(tools):
    with tools.Pool() as pool, pytest.raises(ValueError) as caught:
        pool.apply(tasks.fail, ("no",))
    assert 'conformance_tasks.py", line' in str(caught.value.__cause__)
