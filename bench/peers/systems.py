"""The systems that are compared: how each is installed and set up, and how much of each workload it is given.

Each is set up as well as its own settings allow for speed; settings were scanned, or found in its documentation.
"""

from dataclasses import dataclass

from bench.environments import Environment

NUMPY, HIREDIS, UVLOOP = "numpy==2.4.6", "hiredis==3.5.0", "uvloop==0.23.0"


@dataclass(frozen=True, kw_only=True)
class Peer(Environment):
    """One other system, run by `bench.peers.on_<name>` or the module that is named."""

    title: str
    settings: str
    speed: int
    """About how many calls that do nothing it does per second on two cores; amounts are chosen by it."""

    items_speed: int = 0
    """The same for a map's items where they travel in chunks."""

    is_slow_with_arrays: bool = False
    """It gets a fifth of them."""

    module: str = ""
    uses_server: bool = True

    @property
    def adapter(self) -> str:
        return self.module or f"bench.peers.on_{self.name}"


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="huey",
            title="Huey",
            settings="`huey_consumer -k process -w 2 -n`, RedisHuey, pickle; `notify_result` (a blocking wait) for W2, "
            "W4 and W5 only, for it costs throughput; elsewhere results in order with a back-off of 1 to 50 ms",
            speed=9_700,
            environment="huey",
            requirements=("huey==3.5.4", "redis==8.1.0", HIREDIS, NUMPY),
            packages=("huey", "redis", "hiredis", "numpy"),
        ),
        Peer(
            name="loky",
            title="loky",
            settings="`get_reusable_executor(2)`; map with chunks of an eighth",
            speed=20_000,
            items_speed=3_600_000,
            uses_server=False,
            environment="joblib",
            requirements=("loky==3.7.0", "joblib==1.6.0", NUMPY),
            packages=("loky", "numpy"),
        ),
        Peer(
            name="joblib",
            title="joblib",
            settings="`Parallel(n_jobs=2)` on loky, kept open; it batches calls by itself",
            speed=100_000,
            items_speed=800_000,
            uses_server=False,
            environment="joblib",
            requirements=("loky==3.7.0", "joblib==1.6.0", NUMPY),
            packages=("joblib", "numpy"),
        ),
        Peer(
            name="dramatiq",
            title="Dramatiq",
            settings="`dramatiq -p 2 -t 8` (one thread for W4), prefetch of 1,000 for small tasks, JSON (pickle for "
            "arrays), results in Redis with a blocking wait",
            speed=6_300,
            environment="dramatiq",
            requirements=("dramatiq[redis]==2.2.1", HIREDIS, NUMPY),
            packages=("dramatiq", "redis", "hiredis", "numpy"),
        ),
        Peer(
            name="saq",
            title="SAQ",
            settings="two `saq` processes, uvloop, concurrency 20 (1 for W4), JSON (pickle for arrays); 100 enqueues "
            "at once; results of W1 and W3 by MGET of 500 every 20 ms, else `Queue.listen` with its subscription kept "
            "open; its sweeper off, for it aborts what was just claimed",
            speed=5_000,
            environment="saq",
            requirements=("saq[redis]==0.26.4", "typing-extensions", HIREDIS, UVLOOP, NUMPY),
            packages=("saq", "redis", "hiredis", "uvloop", "numpy"),
        ),
        Peer(
            name="rq",
            title="RQ",
            settings="two SimpleWorkers (no fork per job), `enqueue_many` of 1,000, `Job.latest_result` with a "
            "blocking wait, pickle",
            speed=1_200,
            is_slow_with_arrays=True,
            environment="rq",
            requirements=("rq==3.0.0", "redis==8.1.0", HIREDIS, NUMPY),
            packages=("rq", "redis", "hiredis", "numpy"),
        ),
        Peer(
            name="celery",
            title="Celery",
            settings="prefork `-c 2`, Redis as broker and result backend, JSON (pickle for arrays), prefetch 64 (1 for "
            "W4), no gossip, mingle, heartbeat and events; map by `chunks` of an eighth",
            speed=1_450,
            items_speed=160_000,
            is_slow_with_arrays=True,
            environment="celery",
            requirements=("celery[redis]==5.7.0", HIREDIS, NUMPY),
            packages=("celery", "kombu", "redis", "hiredis", "numpy"),
        ),
        Peer(
            name="arq",
            title="arq",
            settings="two processes, uvloop, `max_jobs` 100 (1 for W4), polls every 5 ms (it has no notification), "
            "results every 2 ms; 100 enqueues at once; pickle",
            speed=3_300,
            environment="arq",
            requirements=("arq==0.28.0", HIREDIS, UVLOOP, NUMPY),
            packages=("arq", "redis", "hiredis", "uvloop", "numpy"),
        ),
        Peer(
            name="taskiq",
            title="taskiq",
            settings="`taskiq worker -w 2`, uvloop, ListQueueBroker, 100 async tasks (1 for W4), `--no-parse`, results "
            "pickled in Redis and polled every 1 ms (20 ms in W1 and W3); arrays as pickle in base64, for its messages "
            "are JSON",
            speed=2_600,
            environment="taskiq",
            requirements=("taskiq[orjson]==0.13.0", "taskiq-redis==1.2.4", HIREDIS, UVLOOP, NUMPY),
            packages=("taskiq", "taskiq-redis", "redis", "hiredis", "uvloop", "numpy"),
        ),
        Peer(
            name="streaq",
            title="streaQ",
            settings="`streaq run -w 2`, uvloop, concurrency and prefetch 32 (1 for W4), `enqueue_many` of 1,000; "
            "results by MGET of 500 every 20 ms, in W2, W4 and W5 by GET every 0.5 ms (its own wait takes 100 ms)",
            speed=3_400,
            is_slow_with_arrays=True,
            environment="streaq",
            requirements=("streaq==7.2.0", UVLOOP, NUMPY),
            packages=("streaq", "coredis", "uvloop", "numpy"),
        ),
        Peer(
            name="dask",
            title="dask.distributed",
            settings="`LocalCluster(n_workers=2, threads_per_worker=1)`; W1 `Client.map(pure=False)` and `gather`, W3 "
            "`dask.bag` of 8 partitions, W5 `scatter` and `submit`, `direct_to_workers`",
            speed=670,
            items_speed=46_000,
            uses_server=False,
            environment="dask",
            requirements=("dask==2026.8.0", "distributed==2026.8.0", NUMPY),
            packages=("dask", "distributed", "numpy"),
        ),
        Peer(
            name="ray",
            title="Ray",
            settings="`ray.init(num_cpus=2)`, object store of 2 GB, tasks without state; W3 by "
            "`ray.util.multiprocessing.Pool`; a result of W5 is a view of shared memory",
            speed=3_300,
            items_speed=500_000,
            uses_server=False,
            environment="ray",
            requirements=("ray==2.60.0", NUMPY),
            packages=("ray", "numpy"),
        ),
        Peer(
            name="mpire",
            title="mpire",
            settings="`WorkerPool(2, start_method='fork', keep_alive=True)`; `apply_async`, and its own chunks in map",
            speed=24_000,
            items_speed=300_000,
            uses_server=False,
            environment="mpire",
            requirements=("mpire==2.10.2", NUMPY),
            packages=("mpire", "numpy"),
        ),
        Peer(
            name="pool",
            title="multiprocessing.Pool",
            settings="two processes by fork; `apply_async`, and its own chunks in map",
            speed=40_000,
            items_speed=9_000_000,
            uses_server=False,
        ),
    )
}
