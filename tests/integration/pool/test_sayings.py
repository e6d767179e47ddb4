"""What tasks say while they run, as a real child tells it."""

import telling_tasks  # noqa: F401  the tasks run elsewhere
from pool_driver import Driver, chunk, crashes, plain, values

from farpool_common.progress import TaskProgress
from farpool_worker.pool.events import Noted, Returned, Wrote


def text(events, work_id="work"):
    return b"".join(event.text for event in events if isinstance(event, Wrote) and event.work_id == work_id)


def notes(events):
    return [(event.call, event.progress) for event in events if isinstance(event, Noted)]


def test_progress_is_told_while_the_call_runs(driver, tmp_path):
    driver.send(chunk("telling_tasks:step_by_step", (str(tmp_path), 3)))
    for done in range(3):
        wanted = (0, TaskProgress(done, 3, "steps"))
        driver.until(lambda events, wanted=wanted: wanted in notes(events))
        (tmp_path / str(done)).touch()
    events = driver.until(lambda events: values(events) == {0: 3})
    assert notes(events)[-1] == (0, TaskProgress(3, 3, "steps"))


def test_many_reports_are_told_as_few_and_the_newest_comes_before_the_result(driver):
    events = driver.run(chunk("telling_tasks:many_reports", (200_000,)))
    told = notes(events)
    assert told[-1] == (0, TaskProgress(200_000, 200_000, "many"))
    assert len(told) < 2000
    assert isinstance(events[-3], Noted)  # then the outcome, and the end


def test_each_call_of_a_chunk_has_its_own_last_word(driver):
    events = driver.run(chunk("telling_tasks:one_report", *((number,) for number in range(20))))
    assert dict(notes(events)) == {n: TaskProgress(n, 100, f"call {n}") for n in range(20)}


def test_a_bad_report_is_an_error_of_the_task(driver):
    events = driver.run(chunk("telling_tasks:bad_report", ("nan",), ("negative",), ("text",), ("infinite",)))
    found = values(events)
    assert [found[n].type_name for n in range(4)] == [
        f"builtins:{name}" for name in ("ValueError", "ValueError", "TypeError", "ValueError")
    ]
    assert notes(events) == []


def test_whatever_python_code_writes_is_told(driver):
    events = driver.run(chunk("telling_tasks:speak_in_all_ways", ()))
    assert text(events) == b"print\nno end of line\nstderr\nbytes \xff\nlogging\n"


def test_jobs_of_rq_producers_are_heard_before_they_end(driver):
    events = driver.run(plain("telling_tasks.speak", "one", "two"))
    assert text(events, "plain") == b"one\ntwo\n"
    last_word = max(n for n, event in enumerate(events) if isinstance(event, Wrote))
    assert last_word < next(n for n, event in enumerate(events) if isinstance(event, Returned))
    assert text(driver.run(plain("telling_tasks.fail_loudly")), "plain") == b"before the error\n"


def test_of_much_text_the_end_is_told(driver):
    events = driver.run(chunk("telling_tasks:speak_much", (30_000,)))
    assert text(events).endswith(b"line 00029998\nline 00029999\n")


def test_the_last_words_of_a_killed_task_are_told(driver, tmp_path):
    path = tmp_path / "now"
    driver.send(chunk("telling_tasks:speak_and_die", (str(path),)))
    path.touch()
    events = driver.until(crashes)
    assert text(events) == b"last words"
    assert notes(events)[-1] == (0, TaskProgress(3, 7, "dying"))


def test_text_of_one_task_is_not_told_as_anothers(driver):
    works = [chunk("telling_tasks:speak", (word,), id=word) for word in ("one", "two", "three")]
    events = driver.run(*works, slot=0)
    assert [text(events, word) for word in ("one", "two", "three")] == [b"one\n", b"two\n", b"three\n"]


def test_threads_of_a_task_are_heard_and_its_forks_are_not(driver):
    events = driver.run(chunk("telling_tasks:from_threads_and_forks", ()))
    assert values(events) == {0: [0]}
    assert sorted(text(events)) == sorted(b"thread 0\nthread 1\nthread 2\nthread 3\n")  # lines may mix
    assert {progress.done for _, progress in notes(events)} <= {0, 1, 2, 3}


def test_a_task_that_scribbles_on_the_shared_memory_hurts_nobody(driver):
    driver.call("telling_tasks:scribble", ())
    assert driver.call("telling_tasks:one_report", (1,), (2,)) == {0: 1, 1: 2}


def test_a_task_that_closes_stdout_is_no_trouble(driver):
    events = driver.run(chunk("telling_tasks:closes_stdout", ()), slot=0)
    assert text(events) == b"before\n"
    assert driver.run(chunk("telling_tasks:one_report", (1,)), slot=0)


def test_without_a_limit_to_keep_nothing_is_told():
    with Driver(1, log_bytes=0) as driver:
        assert text(driver.run(chunk("telling_tasks:speak", ("one",)))) == b""
        assert notes(driver.run(chunk("telling_tasks:one_report", (5,)))) == [(0, TaskProgress(5, 100, "call 5"))]
