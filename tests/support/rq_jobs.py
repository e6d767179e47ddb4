"""Functions, callbacks and handlers of the jobs that RQ's own worker and ours both run."""

import threading
import time

from rq import Retry, get_current_job


def add(a, b=0):
    return a + b


def nothing():
    return None


def fails(text="no luck"):
    raise ValueError(text)


def naps(seconds):
    time.sleep(seconds)
    return seconds


async def doubles(number):
    return number * 2


def notes_meta(fails=False):
    job = get_current_job()
    job.meta["seen"] = "yes"
    job.save_meta()
    if fails:
        raise ValueError("after the note")
    return job.id


def changes_its_job():
    get_current_job().description = "changed from inside"


def tells_its_id():
    return get_current_job().id


def asks_again(times):
    return Retry(max=times)


def lasts():
    get_current_job().connection.set("running", "1")
    time.sleep(60)


def cannot_travel():
    return threading.Lock()


class Account:
    """Its methods are jobs, too."""

    def __init__(self, balance):
        self.balance = balance

    def paid(self, amount):
        if amount > self.balance:
            raise ValueError("not enough")
        return self.balance - amount


def on_success(job, connection, result):
    connection.hset("noted", f"success of {job.id}", str(result))


def on_failure(job, connection, kind, error, trace):
    connection.hset("noted", f"failure of {job.id}", f"{kind.__name__}: {error}")


def on_stopped(job, connection):
    connection.hset("noted", f"stop of {job.id}", "stopped")


def raises_in_callback(job, connection, *rest):
    raise RuntimeError("the callback failed")


def handler(job, kind, error, trace):
    job.connection.hset("noted", f"handler of {job.id}", f"{kind.__name__}: {error}")
