"""What `@task` makes of a function, and which options it takes."""

import inspect
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import rq
import shop_tasks as shop

from farpool import FunctionNotImportableError, Retry, SettingsError, task
from farpool.tasks.unique import unique_id

SUPPORT = Path(shop.__file__).parent


def refusal(**options: Any) -> str:
    with pytest.raises(SettingsError) as refused:
        shop.add.options(**options)
    return str(refused.value)


def test_a_task_looks_like_its_function() -> None:
    assert (shop.add.__name__, shop.add.__module__, shop.add.__doc__) == ("add", "shop_tasks", "The sum.")
    assert list(inspect.signature(shop.add).parameters) == ["a", "b"]
    assert inspect.isfunction(shop.add.__wrapped__)
    assert repr(shop.add) == "<task shop_tasks.add>"


def test_a_decorator_with_and_without_options_gives_a_task() -> None:
    def function() -> str:
        return "called"

    assert task(function)() == task(queue="other")(function)() == task()(function)() == "called"


def test_an_exception_of_a_call_here_is_the_functions_own() -> None:
    @task(retries=3)
    def fails() -> None:
        raise KeyError("own")

    with pytest.raises(KeyError, match="own"):
        fails()


def test_bad_options_say_what_is_meant() -> None:
    assert "queue is the name of a queue" in refusal(queue="")
    assert "timeout is a number of seconds above 0" in refusal(timeout=0)
    assert "retries is how often a call that raised runs again" in refusal(retries=-1)
    assert "or a farpool.Retry" in refusal(retries=rq.Retry(3))
    assert "result_ttl is a whole number of seconds" in refusal(result_ttl="500")
    assert "unique is True, a name, or a function" in refusal(unique="")
    assert "url is the address of a server" in refusal(url=6379)
    assert "unique and job_id do not go together" in refusal(unique=True, job_id="mine")
    assert "unique and rate_limit do not go together" in refusal(
        unique=True, rate_limit=rq.rate_limit.RateLimit("k", 1)
    )


def test_an_unknown_option_is_a_type_error_that_names_the_known_ones() -> None:
    with pytest.raises(TypeError, match="'retry' is no option of a task; options are queue, timeout, retries"):
        task(retry=3)  # type: ignore[call-overload]


def test_options_of_a_view_add_up_and_leave_the_task_as_it_is() -> None:
    view = shop.add.options(queue="one", description="first").options(timeout=5, at_front=True)
    chosen = view._options
    assert (chosen.queue, chosen.timeout, chosen.rq) == ("one", 5, {"description": "first", "at_front": True})
    assert shop.add._options.queue == "default"


def test_a_number_of_retries_means_exceptions_and_lost_workers_have_their_own() -> None:
    chosen = shop.add.options(retries=4)._options
    assert chosen.retry == Retry(4)
    assert chosen.call.losses == shop.add._options.call.losses == 2
    assert shop.add._options.retry is None


def test_methods_are_refused_and_static_functions_are_not() -> None:
    with pytest.raises(SettingsError, match=r"total is a method: workers have no object to call it on"):

        class Report:
            @task
            def total(self) -> int:
                return 1

    assert shop.Report.total([1, 2]) == 3


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(SettingsError, match="@task goes below @staticmethod"):
        task(staticmethod(len))
    with pytest.raises(SettingsError, match="is a task already"):
        task(shop.add)
    with pytest.raises(SettingsError, match="made of a function"):
        task(int)
    with pytest.raises(SettingsError, match="made of a function"):
        task(5)  # type: ignore[call-overload]


def test_a_function_inside_another_is_no_job() -> None:
    @task
    def inner() -> None: ...

    with pytest.raises(FunctionNotImportableError, match="defined inside another function"):
        inner.enqueue()


def test_delays_and_moments_are_what_they_say() -> None:
    with pytest.raises(SettingsError, match="a delay is a timedelta or a number of seconds"):
        shop.add.enqueue_in(datetime.now(), 1)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="a delay is a timedelta or a number of seconds"):
        shop.add.enqueue_in(float("inf"), 1)
    with pytest.raises(SettingsError, match="a moment is a datetime"):
        shop.add.enqueue_at(60, 1)  # type: ignore[arg-type]


def test_a_module_of_tasks_loads_neither_redis_nor_rq_nor_numpy() -> None:
    script = "import sys, shop_tasks; print([m for m in ('redis', 'rq', 'asyncio') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=SUPPORT)
    assert done.stdout == "[]\n"


# --- what is the same work --------------------------------------------------------------------------


def same(unique: Any, *calls: tuple[tuple[Any, ...], dict[str, Any]]) -> bool:
    def function(a: Any, b: Any = 0, *rest: Any, **more: Any) -> None: ...

    return len({unique_id("module.function", function, unique, args, kwargs) for args, kwargs in calls}) == 1


def test_arguments_are_the_same_however_they_are_given() -> None:
    assert same(True, ((1, 0), {}), ((1,), {}), ((), {"b": 0, "a": 1}))
    assert same(True, ((1,), {"x": 1, "y": 2}), ((1,), {"y": 2, "x": 1}))
    assert same(True, (({"k": {1, 2}, "l": 3},), {}), (({"l": 3, "k": {2, 1}},), {}))


def test_arguments_that_differ_are_other_work() -> None:
    for one, other in [
        (1, 2),
        (1, 1.0),
        (1, True),
        ("1", b"1"),
        ([1], (1,)),
        ([1, 2], {1, 2}),
        ({}, []),
        ({1: 2}, [1, 2]),
    ]:
        assert not same(True, ((one,), {}), ((other,), {})), (one, other)


def test_a_list_cannot_be_mistaken_for_what_a_dict_or_set_becomes() -> None:
    for value in ({1: 2}, {1, 2}, [1, 2], (1, 2)):
        spelled = [type(value).__name__, *([1, 2] if not isinstance(value, dict) else [[1, 2]])]
        assert not same(True, ((value,), {}), ((spelled,), {}))


def test_a_name_holds_within_its_task_and_a_function_tells_what_counts() -> None:
    assert same("one at a time", ((1,), {}), ((2,), {}))
    assert same(lambda a, b: b, ((1, 5), {}), ((2, 5), {}))
    assert unique_id("m.one", len, "name", (), {}) != unique_id("m.other", len, "name", (), {})


def test_arguments_that_are_not_the_functions_are_told_at_once() -> None:
    with pytest.raises(TypeError, match="missing a required argument"):
        same(True, ((), {}))
