"""`farpool enqueue --max-queued`: a bound for what a shell puts into a queue."""

import threading
from concurrent.futures import ThreadPoolExecutor

import redis
from click.testing import CliRunner
from rq import Queue

from farpool.cli import main
from farpool.cli.enqueue import put_if_there_is_room
from farpool.embedded import Server
from farpool_common.broker import connect
from farpool_common.errors import QueueFullError


def test_a_full_queue_takes_no_job_and_the_exit_code_says_that_it_may_later(
    server: Server, client: redis.Redis
) -> None:
    words = ["enqueue", "-u", server.url, "--max-queued", "2", "os.getcwd"]
    codes = [CliRunner().invoke(main, words).exit_code for _ in range(3)]
    assert codes == [0, 0, 75]
    assert (client.llen("rq:queue:default"), len(client.keys("rq:job:*"))) == (2, 2)
    result = CliRunner().invoke(main, words)
    assert "queue default holds 2 tasks; the limit is 2" in result.stderr


def test_several_at_once_do_not_fill_a_queue_beyond_its_bound(server: Server, client: redis.Redis) -> None:
    start = threading.Barrier(4)

    def put_ten(_: int) -> int:
        refused = 0
        with connect(server.url) as own:
            queue = Queue("q", connection=own)
            start.wait()
            for _ in range(10):
                try:
                    put_if_there_is_room(queue, 7, lambda pipeline: str(pipeline.rpush(queue.key, "x")))
                except QueueFullError:
                    refused += 1
        return refused

    with ThreadPoolExecutor(4) as pool:
        refused = sum(pool.map(put_ten, range(4)))
    assert (client.llen("rq:queue:q"), refused) == (7, 33)
