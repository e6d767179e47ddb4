"""What becomes of calls that end: values, failures, and what is given back."""

import pickle
import zlib
from dataclasses import replace

import pool_tasks
import pytest
from pool_driver import SUPPORT, Driver, chunk, crashes, ended, given_back, plain, values, wait_for_file

from farpool_common.chunk import Initializer
from farpool_common.codec import Serializer
from farpool_common.trust import Trust
from farpool_worker.pool.events import Returned


def _returned(driver, *args, **options):
    events = driver.run(plain(*args, **options))
    (returned,) = [event for event in events if isinstance(event, Returned)]
    return returned


def test_rows_columns_and_keywords_arrive(driver):
    assert driver.call("pool_tasks:add", (1,), (2, 3)) == {0: 2, 1: 5}
    assert driver.call("pool_tasks:add", columns=[range(3), [10, 20, 30]]) == {0: 10, 1: 21, 2: 32}
    assert driver.call("pool_tasks:add", (1,), (2,), kwargs={1: {"b": 5}}) == {0: 2, 1: 7}
    assert driver.call("pool_tasks:add_two", (40,)) == {0: 42}
    assert driver.call("pool_tasks:Point", (3,)) == {0: pool_tasks.Point(3)}
    assert driver.call("pool_tasks:Point.norm", (pool_tasks.Point(3, -4),)) == {0: 7}
    assert driver.call("pool_tasks:Point.origin", ()) == {0: pool_tasks.Point(0)}


def test_only_the_calls_asked_for_run(driver):
    work = chunk("pool_tasks:add", columns=[range(100)], ranges=((3, 5), (98, 100)))
    assert values(driver.run(work)) == {3: 4, 4: 5, 98: 99, 99: 100}


def test_a_call_that_raises_fails_alone(driver):
    found = driver.call("pool_tasks:add", (1,), ("x",), (3,))
    assert (found[0], found[2]) == (2, 4)
    assert found[1].type_name == "builtins:TypeError"
    assert "runner" not in found[1].traceback
    assert 'pool_tasks.py", line' in found[1].traceback


@pytest.mark.parametrize(
    ("function", "args", "type_name"),
    [("leave_politely", (3,), "builtins:SystemExit"), ("interrupt", (), "builtins:KeyboardInterrupt")],
)
def test_a_task_does_not_end_its_process_politely(driver, function, args, type_name):
    found = driver.call(f"pool_tasks:{function}", args)
    assert found[0].type_name == type_name
    assert driver.call("pool_tasks:echo", (1,)) == {0: 1}


def test_the_seconds_are_run_time(driver):
    events = driver.run(chunk("pool_tasks:pause", (0.05,), (0.05,)))
    assert sum(event.seconds for event in events if hasattr(event, "seconds")) >= 0.1


def test_results_do_not_wait_for_a_slow_call(driver, tmp_path):
    go = tmp_path / "go"
    driver.send(chunk("pool_tasks:wait_for", (str(SUPPORT),), (str(SUPPORT),), (str(go),)))
    driver.send(chunk("pool_tasks:pause", (0.01,), (60.0,), id="slow"))
    first = driver.until(lambda events: any(e.work_id == "slow" for e in events))
    assert values([event for event in first if event.work_id == "slow"]) == {0: 0.01}
    assert driver.pool.kill("slow")
    go.touch()
    driver.until(lambda events: crashes(events) and ended(first + events) == 1)


# --- values that cannot travel ---------------------------------------------------------------------


def test_a_value_that_cannot_travel_fails_its_call_alone(driver):
    found = driver.call("pool_tasks:untravelling_at", *[(i, 2) for i in range(4)])
    assert {index: found[index] for index in (0, 1, 3)} == {0: 0, 1: 1, 3: 3}
    assert found[2].type_name == "farpool_common.errors:ResultError"
    assert found[2].message.startswith("the result of pool_tasks:untravelling_at cannot travel: ")


def test_a_value_that_raises_when_it_is_read_fails_its_call_alone(driver):
    found = driver.call("pool_tasks:failing_at", *[(i, 2) for i in range(4)])
    assert found[2].type_name == "farpool_common.errors:ResultError"
    assert {index: found[index] for index in (0, 1, 3)} == {0: 0, 1: 1, 3: 3}


def test_a_result_above_the_limit_fails_its_call_alone():
    with Driver(1, max_result_bytes=200_000) as driver:
        sizes = [1000, 20_000, 1000, 100_000, 15_000]  # times 8 bytes; together too large, too
        found = driver.call("pool_tasks:zeros_at", *[(i, sizes) for i in range(5)])
    assert {index: len(found[index]) for index in (0, 1, 2, 4)} == {0: 1000, 1: 20_000, 2: 1000, 4: 15_000}
    assert found[3].type_name == "farpool_common.errors:TooLargeError"
    assert "the limit is 200,000" in found[3].message


# --- functions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "type_name", "advice"),
    [
        ("os:system", "FunctionNotAllowedError", "a function of your own"),
        ("pool_tasks:system", "FunctionNotAllowedError", "a function of your own"),
        ("pool_tasks:os.system", "FunctionNotAllowedError", "by its own name"),
        ("no_such_module:f", "FunctionNotFoundError", "-P PATH"),
        ("pool_tasks:no_such", "FunctionNotFoundError", "no attribute 'no_such'"),
        ("pool_tasks:just_a_value", "FunctionNotFoundError", "is no function but a int"),
    ],
)
def test_every_call_of_a_function_that_may_not_run_fails_and_says_what_to_do(driver, name, type_name, advice):
    found = driver.call(name, (1,), (2,), (3,))
    assert {failure.type_name for failure in found.values()} == {f"farpool_common.errors:{type_name}"}
    assert advice in found[0].message
    assert [bool(found[index].traceback) for index in range(3)] == [True, False, False]


def test_everything_runs_where_everything_is_trusted():
    with Driver(1, trust=Trust(everything=True)) as driver:
        assert driver.call("math:sqrt", (4,)) == {0: 2.0}


def test_an_initializer_runs_once_per_process_and_executor(driver):
    driver.wait_idle()
    for owner in ("a", "a", "b", "a"):
        start = Initializer(owner, "pool_tasks:initialize", [owner])
        driver.run(chunk("pool_tasks:noop", (1,), (2,), initializer=start), slot=0)
    assert values(driver.run(chunk("pool_tasks:seen_initializers", ()), slot=0)) == {0: ["a", "b"]}


def test_calls_whose_initializer_failed_say_so(driver):
    start = Initializer("a", "pool_tasks:refuse_to_initialize")
    found = driver.call("pool_tasks:noop", (1,), (2,), initializer=start)
    assert {failure.type_name for failure in found.values()} == {"farpool_common.errors:InitializerError"}
    assert all("no licence" in failure.message for failure in found.values())
    assert "refuse_to_initialize" in found[0].traceback


def test_damaged_data_fails_its_calls(driver):
    for data in (b"", b"\xff", b"\x94", Serializer.dumps([1, 2, 3]), bytes(100)):
        found = values(driver.run(replace(chunk("pool_tasks:noop", (1,), (2,)), data=data)))
        assert {failure.type_name for failure in found.values()} == {"farpool_common.errors:DecodeError"}


def test_calls_that_the_chunk_does_not_have_are_refused(driver):
    found = values(driver.run(chunk("pool_tasks:noop", (1,), ranges=((0, 2),))))
    assert {failure.type_name for failure in found.values()} == {"farpool_common.errors:DecodeError"}


# --- plain calls -----------------------------------------------------------------------------------


def test_a_plain_call_returns_its_value(driver):
    returned = _returned(driver, "pool_tasks.add", 1, b=2)
    assert (returned.error, Serializer.loads(returned.envelope)) == (None, 3)


def test_a_large_plain_result_arrives_whole(driver):
    returned = _returned(driver, "pool_tasks.echo", b"x" * 300_000)
    assert Serializer.loads(returned.envelope) == b"x" * 300_000


def test_a_plain_call_may_be_compressed_as_rq_does(driver):
    data = zlib.compress(Serializer.dumps(("pool_tasks.add", None, (1,), {})))
    assert Serializer.loads(_returned(driver, "", data=data).envelope) == 2


def test_a_plain_call_that_raises_returns_its_traceback(driver):
    returned = _returned(driver, "pool_tasks.fail", "bad luck")
    assert returned.error.startswith("Traceback")
    assert returned.error.rstrip().endswith("ValueError: bad luck")
    assert returned.envelope == b""


@pytest.mark.parametrize("pack", [bytes, zlib.compress])
def test_pickle_is_refused_and_never_read(driver, pack):
    data = pack(pickle.dumps(("os.system", None, ("touch /tmp/farpool-was-here",), {})))
    assert (
        "written with pickle by a producer of queue default; this worker accepts msgpack only"
        in _returned(driver, "", data=data).error
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'["os.system", null, [], {}]', "written with JSON"),
        (zlib.compress(b"x" * 1000)[:-3], "cut short"),
        (b"x\x9c" + b"\xff" * 9, "is damaged"),
        (Serializer.dumps(("pool_tasks.echo", {"an": "instance"}, (), {})), "called on an instance"),
        (Serializer.dumps("hello"), "is no call"),
    ],
)
def test_a_plain_call_that_cannot_be_read_says_why(driver, data, said):
    assert said in _returned(driver, "", data=data).error


def test_a_plain_result_above_the_limit_says_so():
    with Driver(1, max_result_bytes=1000) as driver:
        assert "TooLargeError" in _returned(driver, "pool_tasks.echo", b"x" * 2000).error


# --- stopping and retiring -------------------------------------------------------------------------


def test_stopping_at_the_next_call_gives_back_what_was_not_begun(driver, tmp_path):
    go = str(tmp_path / "go")
    calls = [(str(tmp_path / "started"), go)] * 3
    driver.send(chunk("pool_tasks:announce_then_wait", *calls), chunk("pool_tasks:noop", (1,), id="next"))
    wait_for_file(tmp_path / "started")
    driver.pool.stop_at_next_call()
    (tmp_path / "go").touch()
    events = driver.wait_idle()
    assert values(events) == {0: go}
    assert given_back(events) == [("next", ((0, 1),)), ("work", ((1, 3),))]
    assert driver.call("pool_tasks:echo", (1,)) == {0: 1}  # what is sent later runs


def test_a_child_retires_after_its_calls_and_is_replaced():
    with Driver(1, max_calls_per_child=3) as driver:
        pids = [values(driver.run(chunk("pool_tasks:pid", (), ())))[0] for _ in range(4)]
        assert driver.until(lambda _: not driver.pool._leaving) == []
    assert pids[0] == pids[1] != pids[2] == pids[3]
