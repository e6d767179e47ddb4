"""What `import farpool` promises, and what it costs."""

import subprocess
import sys

import pytest

import farpool


def test_every_name_that_is_promised_is_there() -> None:
    for name in farpool.__all__:
        found = getattr(farpool, name)
        assert found == name if name.isupper() else found.__name__.rpartition(".")[2] == name
    assert set(farpool.__all__) <= set(dir(farpool))


def test_a_star_import_leaves_the_builtin_timeout_error_alone() -> None:
    program = "from farpool import *\nprint(TimeoutError is __builtins__.TimeoutError)\nimport farpool\n"
    program += "import multiprocessing\nprint(farpool.TimeoutError is multiprocessing.TimeoutError)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\nTrue\n", "`except TimeoutError` around a future's result would catch nothing"


def test_a_name_that_is_not_promised_is_missing() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        _ = farpool.Nothing  # type: ignore[attr-defined]


def test_errors_of_the_standard_library_catch_ours() -> None:
    assert issubclass(farpool.TaskTimeoutError, TimeoutError)
    assert issubclass(farpool.ServerUnreachableError, ConnectionError)
    assert issubclass(farpool.ArgumentError, TypeError)


def test_importing_it_loads_nothing_else() -> None:
    script = (
        "import sys, farpool; print([m for m in ('redis', 'numpy', 'msgpack', 'rq', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_executor_loads_neither_numpy_nor_rq_nor_the_worker() -> None:
    script = (
        "import sys, farpool; farpool.Executor; farpool.Future;"
        "print([m for m in ('numpy', 'rq', 'farpool_worker') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
