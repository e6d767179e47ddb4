"""Harm to what daemons, producers and server say to each other."""

from proxy import Harm, Rule
from world import LEASE, World


def messages_lost(world: World) -> None:
    """Requests and replies of every script that moves tasks get lost on the way."""
    world.start_daemons("a", "b")
    world.harm()
    lose_messages(world)
    world.submit(40)


def lose_messages(world: World) -> None:
    """Some of the next few of each kind."""
    for command in ("enqueue", "claim", "finish", "succeed", "heartbeat", "deliver", "release", "BLMOVE"):
        for harm in (Harm.LOSE_REQUEST, Harm.LOSE_REPLY):
            world.proxy.rules.append(Rule(command, harm, first=world.random.randint(1, 6), times=2))


def partition(world: World) -> None:
    """Nothing passes and nothing breaks, for less than a lease up to three of them."""
    world.begin(30)
    world.harm()
    fall_silent(world)
    world.submit(4)


def fall_silent(world: World) -> None:
    """For all connections."""
    world.proxy.weather.is_silent = True
    world.pause(0.5 * LEASE, 3 * LEASE)
    world.proxy.weather.is_silent = False


def slow_network(world: World) -> None:
    """Late replies, and bytes that come one by one."""
    world.proxy.weather.delay_seconds = world.random.uniform(0.002, 0.02)
    world.proxy.weather.is_sliced = world.random.random() < 0.5
    world.start_daemons("a", "b")
    world.harm()
    world.submit(16)
