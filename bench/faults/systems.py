"""The systems that are compared: how each is installed, started and set up.

Each is set up as well as its own settings allow for not losing work, and its own times are scaled down as far as
they can be, so that a round takes seconds.  A second row shows the same system as it comes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.environments import ROOT, Environment

LOCAL_FAULTS = ("nothing", "child_killed", "poison", "unserializable")
"""What can be done to a pool in the client's own process."""


@dataclass(frozen=True, kw_only=True)
class System(Environment):
    """One column of the table.  In `command`, {python}, {url} and {name} stand for what a worker is started with."""

    title: str
    module: str
    settings: str
    command: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] | None = None
    """All of them unless said."""

    def worker_command(self, url: str, name: str) -> list[str]:
        return [word.format(python=self.python, url=url, name=name) for word in self.command]


RQ = ("{python}", "-m", "rq.cli", "worker", "-u", "{url}", "-n", "{name}")
RQ_TIMES = ("--job-monitoring-interval", "1", "--maintenance-interval", "5", "--worker-ttl", "20")
RQ_REQUIREMENTS = ("rq==3.0.0", "redis>=6", "hiredis>=3.1")
RQ_SETTINGS = f"jobs with `Retry(max=3)`; `rq worker {' '.join(RQ_TIMES)}`"
CELERY = ("{python}", "-m", "celery", "-A", "bench.faults.peers.on_celery", "worker", "-c", "1", "-n", "{name}@bench")
CELERY_REQUIREMENTS = ("celery[redis]==5.7.0",)
DRAMATIQ = ("{python}", "-m", "dramatiq", "bench.faults.peers.on_dramatiq", "-p", "1", "-t", "1")
FARPOOL = ("{python}", "-m", "farpool_worker", "-u", "{url}", "-n", "{name}", "-c", "1", "-P", str(ROOT))

SYSTEMS = {
    system.name: system
    for system in (
        System(
            name="farpool",
            title="farpool",
            module="bench.faults.peers.on_farpool",
            settings="`Executor`; `farpool worker -c 1` with a lease of 1.5 s, a grace of 0.5 s and a sweep of 0.3 s, "
            "a tenth of its defaults and less",
            command=FARPOOL,
            environ={"FARPOOL_LEASE_SECONDS": "1.5", "FARPOOL_GRACE_SECONDS": "0.5", "FARPOOL_SWEEP_SECONDS": "0.3"},
            packages=("farpool", "redis", "hiredis"),
        ),
        System(
            name="rq",
            title="RQ",
            module="bench.faults.peers.on_rq",
            settings=f"{RQ_SETTINGS}, one queue; its lease is 60 s longer than the first of these and cannot be less",
            command=(*RQ, *RQ_TIMES, "default"),
            environment="rq",
            requirements=RQ_REQUIREMENTS,
            packages=("rq", "redis", "hiredis"),
        ),
        System(
            name="rq-two-queues",
            title="RQ, two queues",
            module="bench.faults.peers.on_rq",
            settings="the same with two queues, to which jobs go in turn",
            command=(*RQ, *RQ_TIMES, "high", "default"),
            environ={"BENCH_QUEUES": "high,default"},
            environment="rq",
            requirements=RQ_REQUIREMENTS,
            packages=("rq", "redis", "hiredis"),
        ),
        System(
            name="celery",
            title="Celery, safest settings",
            module="bench.faults.peers.on_celery",
            settings="prefork `-c 1`, JSON, Redis as broker and result backend; `task_acks_late`, "
            "`task_reject_on_worker_lost`, `task_retry_on_worker_lost` (3 times, after 1 s), "
            "`worker_lost_wait` 1 s, `result_backend_always_retry`, `worker_prefetch_multiplier` 1, "
            "`visibility_timeout` 10 s, `unacked_restore_interval` 1 s, `unacked_restore_throttle` 1",
            command=CELERY,
            environment="celery",
            requirements=CELERY_REQUIREMENTS,
            packages=("celery", "kombu", "billiard", "redis"),
        ),
        System(
            name="celery-default",
            title="Celery, defaults",
            module="bench.faults.peers.on_celery",
            settings="the same with every setting as it comes (early acknowledgement, visibility timeout 1 h)",
            command=CELERY,
            environ={"BENCH_VARIANT": "default"},
            environment="celery",
            requirements=CELERY_REQUIREMENTS,
            packages=("celery", "kombu", "billiard", "redis"),
        ),
        System(
            name="dramatiq",
            title="Dramatiq",
            module="bench.faults.peers.on_dramatiq",
            settings="`dramatiq -p 1 -t 1`, RedisBroker with `heartbeat_timeout` 5 s and `maintenance_chance` "
            "1,000,000 in a million (1,000 as it comes), Results in Redis, 3 retries after 0.5 to 1 s",
            command=DRAMATIQ,
            environment="dramatiq",
            requirements=("dramatiq[redis]==2.2.1", "hiredis>=3.1"),
            packages=("dramatiq", "redis", "hiredis"),
        ),
        System(
            name="executor",
            title="ProcessPoolExecutor",
            module="bench.faults.peers.on_pools",
            settings="two processes, started by fork",
            faults=LOCAL_FAULTS,
        ),
        System(
            name="pool",
            title="multiprocessing.Pool",
            module="bench.faults.peers.on_pools",
            settings="two processes, started by fork; `apply_async`",
            environ={"BENCH_VARIANT": "multiprocessing"},
            faults=LOCAL_FAULTS,
        ),
    )
}
