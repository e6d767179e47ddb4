"""What a type checker must not let through: each line with a comment has this error of pyright's, and no other has
one.  It is never run."""

from farpool import Executor, Future, Pool, ProcessPoolExecutor


def scaled(value: int, factor: float = 1.0, *, label: str = "") -> float:
    return value * factor


def submits(executor: Executor) -> None:
    executor.submit(scaled)  # reportCallIssue
    executor.submit(scaled, "3")  # reportArgumentType
    executor.submit(scaled, 3, factor="x")  # reportArgumentType
    executor.submit(scaled, 3, 1.0, "x")  # reportCallIssue
    executor.submit(scaled, 3, timeout=1)  # reportCallIssue
    executor.submit(3)  # reportCallIssue, reportArgumentType
    wrong: Future[str] = executor.submit(scaled, 3)  # reportAssignmentType
    print(wrong)


def options(executor: Executor) -> None:
    executor.options(queu="x")  # reportCallIssue
    executor.options(timeout="1 s")  # reportArgumentType
    executor.options(when_full="drop")  # reportArgumentType
    executor.options(queue="x").submit(scaled, "3")  # reportArgumentType
    executor.options(queue="x").submit(scaled, 3, nothing=1)  # reportCallIssue


def maps(executor: Executor) -> None:
    executor.map(scaled, 3)  # reportArgumentType
    executor.map(3, [1])  # reportArgumentType
    executor.map(scaled, [1], chunksize="large")  # reportArgumentType
    executor.map(scaled, [1], chunk=2)  # reportCallIssue
    text: list[str] = list(executor.map(scaled, [1]))  # reportAssignmentType
    print(text)


async def asynchronous(executor: Executor) -> None:
    text: str = await executor.submit(scaled, 3)  # reportAssignmentType
    print(text)


def executors() -> None:
    Executor(durability="disk")  # reportArgumentType
    Executor(max_workers="4")  # reportArgumentType
    Executor("redis://host", "queue")  # reportCallIssue
    ProcessPoolExecutor(queue="x")  # reportCallIssue
    Pool("4")  # reportArgumentType
