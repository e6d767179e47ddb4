"""What users write, as a type checker sees it: this file has no error.  It is never run."""

import asyncio
import concurrent.futures
import math
from collections.abc import Iterator
from functools import partial
from typing import assert_type

import farpool
from farpool import Executor, Future, ProcessPoolExecutor


def scaled(value: int, factor: float = 1.0, *, label: str = "") -> float:
    return value * factor


def named(fn: int, queue: str) -> str:
    """Parameters with the names of ours."""
    return queue * fn


async def delayed(value: int) -> bytes:
    return bytes(value)


def submits(executor: Executor) -> None:
    assert_type(executor.submit(scaled, 3), Future[float])
    assert_type(executor.submit(scaled, 3, 0.5, label="x"), Future[float])
    assert_type(executor.submit(scaled, value=3, factor=2), Future[float])
    assert_type(executor.submit(named, fn=3, queue="x"), Future[str])
    assert_type(executor.submit(lambda: 1), Future[int])
    assert_type(executor.submit(partial(scaled, 1)), Future[float])
    assert_type(executor.submit(math.sqrt, 2).result(timeout=1), float)
    assert_type(executor.submit(scaled, 1).exception(), BaseException | None)


def options(executor: Executor) -> None:
    view = executor.options(queue="fast", timeout=2.5, retries=0, max_queued=10, when_full="raise")
    assert_type(view.submit(scaled, 3, label="x"), Future[float])
    assert_type(view.options(timeout=None).submit(named, 1, "x"), Future[str])
    assert_type(list(view.map(scaled, range(3))), list[float])
    assert_type(list(view.map_unordered(named, range(3), "abc", chunksize="auto")), list[str])


def maps(executor: Executor) -> None:
    assert_type(executor.map(scaled, range(3)), Iterator[float])
    assert_type(executor.map(scaled, range(3), [0.5, 0.1], timeout=3, chunksize=2, buffersize=4), Iterator[float])
    assert_type(executor.map(scaled, range(3), chunksize="auto", buffersize="auto"), Iterator[float])
    assert_type(executor.map_unordered(scaled, (n for n in range(3))), Iterator[float])


def futures(executor: Executor) -> None:
    found = [executor.submit(scaled, number) for number in range(3)]
    for future in farpool.as_completed(found, timeout=3):
        assert_type(future.result(), float)
    done, _ = farpool.wait(found, return_when=concurrent.futures.FIRST_COMPLETED)
    assert_type({future.result() for future in done}, set[float])
    plain: concurrent.futures.Future[float] = found[0]
    plain.add_done_callback(lambda future: print(future.result()))
    assert_type(found[0].host, str | None)
    assert_type(found[0].attempt, int | None)
    assert_type(found[0].cancel(), bool)


async def asynchronous(executor: Executor) -> None:
    assert_type(await executor.submit(scaled, 3), float)
    assert_type(await asyncio.wrap_future(executor.submit(scaled, 3)), float)
    assert_type(await asyncio.get_running_loop().run_in_executor(executor, scaled, 3), float)
    first, second = await asyncio.gather(executor.submit(scaled, 3), executor.submit(named, 1, "x"))
    assert_type(first, float)
    assert_type(second, str)


def executors() -> None:
    with Executor("redis://host:6379/0", queue="q", max_workers=3, initializer=scaled, initargs=(1,)) as executor:
        assert_type(executor, Executor)
        anything: concurrent.futures.Executor = executor
        anything.shutdown(wait=False, cancel_futures=True)
    with ProcessPoolExecutor(4) as pool:
        assert_type(pool, ProcessPoolExecutor)
        assert_type(pool.submit(scaled, 3), Future[float])
    assert_type(farpool.cpu_count(), int)


def stored(executor: Executor) -> None:
    ref = executor.put([1.0, 2.0])
    assert_type(ref, farpool.Ref[list[float]])
    assert_type(farpool.put({"a": 1}), farpool.Ref[dict[str, int]])


def handled(executor: Executor) -> None:
    try:
        executor.submit(scaled, 3).result()
    except farpool.TaskTimeoutError as error:
        assert_type(error, farpool.TaskTimeoutError)
    except concurrent.futures.BrokenExecutor as broken:
        print(broken)


def pools() -> None:
    with farpool.Pool(4, scaled, (1,)) as pool:
        pool.map(scaled, range(3), chunksize=2)
        pool.starmap(named, [(1, "x")])
        result = pool.apply_async(scaled, (1,), {"label": "x"}, callback=print, error_callback=print)
        result.get(timeout=1)
    process = farpool.Process(target=scaled, args=(1,), daemon=True)
    process.start()
    assert_type(process.exitcode, int | None)
