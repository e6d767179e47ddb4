"""A program that somebody interrupts: `interrupted_script.py URL HOW FOLDER`."""

import asyncio
import sys
import time

import tasks

from farpool import Executor, as_completed

TASKS = 12


def main(url: str, how: str, folder: str) -> None:
    if how == "at the end of the program":
        submitted(Executor(url), folder)
        return
    with Executor(url) as executor:
        match how:
            case "in the block":
                futures = submitted(executor, folder)
                time.sleep(60)
            case "in result":
                futures = submitted(executor, folder)
                futures[0].result()
            case "in as_completed":
                list(as_completed(submitted(executor, folder)))
            case "in map":
                list(executor.map(tasks.begin_and_sleep, [folder] * TASKS))
            case "in map of chunks":
                list(executor.map(tasks.begin_and_sleep, [folder] * TASKS, chunksize=2))
            case "in await":
                asyncio.run(awaited(executor, folder))
            case "at the end of the block":
                submitted(executor, folder)


def submitted(executor, folder):
    return [executor.submit(tasks.begin_and_sleep, folder) for _ in range(TASKS)]


async def awaited(executor, folder):
    await asyncio.gather(*submitted(executor, folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
