"""Data that nobody should believe."""

from daemons import wait_for
from world import World

from farpool_common.broker import connect


def junk(world: World) -> None:
    """Records, ids and messages that nobody should believe."""
    world.start_daemons("a", "b")
    world.harm()
    world.others = 30
    with connect(world.server.url) as client:
        for number in range(30):
            world.submit(1)
            raw = world.random.randbytes(world.random.randint(0, 60))
            field = world.random.choice(["data", "status", "timeout", "farpool_reply", "farpool_retries", "origin"])
            client.hset(f"rq:job:junk{number}", mapping={"data": b"\x94", "origin": "default", field: raw})
            client.rpush("rq:queue:default", world.random.choice([raw or b"-", f"junk{number}"]))
            client.publish(f"rq:pubsub:{world.random.choice('ab')}", raw)
    wait_for(lambda: all(daemon.process.poll() is None for daemon in world.daemons), world.logs)


def duplicates(world: World) -> None:
    """Ids stand in the queue again and again: while they wait, while they run, after their end."""
    world.start_daemons("a", "b")
    world.harm()
    with connect(world.server.url) as client:
        for _ in range(6):
            world.submit(5)
            ids = [key.rpartition(b":")[2] for key in client.scan_iter("rq:job:*")]
            for task_id in world.random.sample(ids, min(10, len(ids))):
                push = world.random.choice((client.lpush, client.rpush))
                push("rq:queue:default", *[task_id] * world.random.randint(1, 3))
            world.pause(0, 0.3)
