"""What the jobs of RQ's documentation do, in small."""

import os
import pickle
import time
from pathlib import Path

from rq import Queue, Retry, get_current_job
from rq.job import Job

from farpool_worker import PoolWorker


def count_words(text):
    return len(text.split())


def say_hello(name="nobody"):
    return f"hello {name}"


def divide(a, b):
    return a / b


async def count_later(text):
    return len(text.split())


class Greeter:
    """A method of it is a job."""

    def __init__(self, word):
        self.word = word

    def greet(self, name):
        return f"{self.word} {name}"


def add_info():
    job = get_current_job()
    job.meta["handled_by"] = "someone"
    job.save_meta()
    return job.id, job.origin


def nap(seconds):
    time.sleep(seconds)
    return seconds


def tells_and_naps(path, seconds):
    """Says that it has begun, then takes its time."""
    Path(path).touch()
    time.sleep(seconds)


def fails_later():
    time.sleep(0.5)
    raise RuntimeError("later")


def says_when_it_runs(path):
    Path(path).touch()
    time.sleep(60)


def flaky(key):
    """Fails until it has been called three times."""
    calls = get_current_job().connection.incr(key)
    if calls < 3:
        raise RuntimeError(f"call {calls}")
    return calls


def asks_for_more(key):
    calls = get_current_job().connection.incr(key)
    return Retry(max=5) if calls < 3 else calls


def counts(key):
    return get_current_job().connection.incr(key)


def peak(key, seconds):
    """How many ran at once, at most."""
    connection = get_current_job().connection
    running = connection.incr(f"{key}:running")
    connection.zadd(f"{key}:seen", {str(running): running})
    time.sleep(seconds)
    connection.decr(f"{key}:running")


def report_success(job, connection, result, *args, **kwargs):
    connection.set(f"success:{job.id}", str(result))


def report_failure(job, connection, kind, value, trace):
    connection.set(f"failure:{job.id}", str(value))


def report_stopped(job, connection):
    connection.set(f"stopped:{job.id}", "yes")


def first_handler(job, kind, error, trace):
    job.connection.rpush("handled", f"first {error}")
    return


def last_handler(job, kind, error, trace):
    job.connection.rpush("handled", f"last {error}")
    return False


def never_handler(job, kind, error, trace):
    job.connection.rpush("handled", "never")


class LoudJob(Job):
    """A custom class of jobs."""

    def perform(self):
        return f"{super().perform()}!"


class LoudQueue(Queue):
    """A custom class of queues."""

    job_class = LoudJob


class CountingWorker(PoolWorker):
    """A custom class of workers: what it overrides runs with each job."""

    def handle_job_success(self, job, queue, started_job_registry, execution):
        self.connection.incr("counted")
        super().handle_job_success(job, queue, started_job_registry, execution)


def sees_redis_url():
    return os.environ.get("REDIS_URL"), os.environ.get("RQ_JOB_ID")


class Reversed:
    """A serializer of one's own."""

    @staticmethod
    def dumps(value):
        return pickle.dumps(value)[::-1]

    @staticmethod
    def loads(data):
        return pickle.loads(data[::-1])
