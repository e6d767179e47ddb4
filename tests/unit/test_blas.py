"""Thread limits of numeric libraries: one per slot, and the user's settings win."""

import json
import os
import subprocess
import sys

from farpool_worker.host.blas import FOLLOWERS, OPENMP, OTHERS, thread_limits

ALL = {OPENMP, *FOLLOWERS, *OTHERS}


def test_every_library_gets_one_thread() -> None:
    limits = thread_limits({"PATH": "/bin"})
    assert (limits.to_set, limits.kept) == (dict.fromkeys(ALL, "1"), {})
    assert str(limits) == "1 BLAS/OpenMP thread per slot"


def test_a_variable_of_the_user_is_kept_and_reported() -> None:
    limits = thread_limits({"MKL_NUM_THREADS": "4"})
    assert limits.kept == {"MKL_NUM_THREADS": "4"}
    assert limits.to_set.keys() == ALL - {"MKL_NUM_THREADS"}
    assert str(limits) == "BLAS/OpenMP threads as set: MKL_NUM_THREADS=4"


def test_the_users_openmp_threads_hold_for_the_libraries_that_follow_openmp() -> None:
    limits = thread_limits({OPENMP: "8"})
    assert limits.to_set.keys() == set(OTHERS)
    assert limits.kept == {OPENMP: "8"}


def test_an_empty_variable_counts_as_not_set() -> None:
    assert thread_limits({OPENMP: ""}).to_set.keys() == ALL


def test_a_process_started_with_the_limits_has_one_blas_thread() -> None:
    code = """
import json, numpy, os
numpy.ones((400, 400)) @ numpy.ones((400, 400))
print(json.dumps(len(os.listdir("/proc/self/task"))))
"""
    environ = {name: value for name, value in os.environ.items() if name not in ALL}
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env=environ | dict(thread_limits(environ).to_set),
        capture_output=True,
        check=True,
    )
    assert json.loads(answer.stdout) == 1
