"""Failovers that sentinels decide, under load and with durability `replica`."""

import time
from collections.abc import Callable

from daemons import wait_for
from namespaces import Way
from replicated import Node
from sentinels import DOWN_AFTER_MS, Guarded
from world import LEASE, StampedWorld

from faults.networks import NetworkWorld

MOVE_SECONDS = 2.5
"""By then all connections have moved: one look a second, and reads that wait for a second."""


class GuardedWorld(StampedWorld):
    """Daemons and producer know three sentinels and the name of a service, and no server."""

    server: Guarded

    def build(self, has_replica: bool) -> None:
        self.server, self.durability = Guarded(self.folder), "replica"
        self.url = self.server.service_url

    def clear(self) -> None:
        self.server.kill()


class GuardedNetworkWorld(NetworkWorld):
    """The same with each server, and the sentinel beside it, on a host of its own; the third sentinel is here."""

    server: Guarded

    def build_server(self) -> str:
        self.durability = "replica"
        self.server_hosts = [self.network.host() for _ in range(2)]
        places = [(host.launcher, host.address) for host in self.server_hosts]
        self.server = Guarded(self.folder, [*places, ((), self.network.address)])
        return self.server.service_url


def see_that_they_work(world: StampedWorld) -> None:
    """Daemons have not been started again, and work."""
    if any(daemon.process.poll() is not None for daemon in world.daemons):
        world.verdict.notes.append("a daemon has ended")
    world.submit(4, jobs=0)


def primary_killed(world: GuardedWorld) -> None:
    """SIGKILL to the primary; later it comes back with all it knew, a primary in its own eyes."""
    world.begin(30, jobs=0)
    world.pause(0, 0.5)
    old = world.server.primary
    world.harm()
    old.kill()
    world.submit(10, jobs=0)
    wait_for(lambda: world.server.primary is not old)
    world.pause(0, 2 * DOWN_AFTER_MS / 1000)
    old.start()
    world.pause(1.0, 3.0)
    if _our_commands(old) and world.server.primary is not old:
        world.verdict.notes.append("a primary of the past got commands of ours")
    world.server.reunite()
    see_that_they_work(world)


def living_primary_replaced(world: GuardedWorld) -> None:
    """SENTINEL FAILOVER: the old primary takes writes for some 8 s more, which are lost when it becomes a replica."""
    world.begin(30, jobs=0)
    old = world.server.primary
    world.harm()
    world.server.fail_over()
    world.submit(10, jobs=0)
    time.sleep(MOVE_SECONDS)
    before = _our_commands(old)
    world.submit(10, jobs=0)
    world.pause(1.0, 2.0)
    if _our_commands(old) != before and world.server.primary is not old:
        world.verdict.notes.append("the primary of the past still gets commands of ours")
    world.server.reunite()
    see_that_they_work(world)


def primary_host_cut_off(world: GuardedNetworkWorld) -> None:
    """Nobody hears of the primary's host any more, nor of the end of connections to it; then it is back."""
    world.begin(30, jobs=0)
    world.pause(0, 0.5)
    old = world.server.primary
    world.harm()
    world.server_hosts[0].cut(world.random.choice((Way.BOTH, Way.GONE)))
    world.submit(10, jobs=0)
    wait_for(lambda: world.server.primary is not old)
    world.pause(0, 2 * LEASE)
    world.server_hosts[0].heal()
    world.server.reunite()
    see_that_they_work(world)


def replication_cut_first(world: GuardedNetworkWorld) -> None:
    """For half a second the replica learns nothing, and then the primary's host is cut off for good."""
    world.begin(15, jobs=0)
    world.pause(0, 0.3)
    old, (first, second) = world.server.primary, world.server_hosts
    world.harm()
    first.cut_from(second)
    world.submit(45, jobs=0)  # more than can end before the cut
    time.sleep(0.5)
    first.cut(Way.BOTH)
    wait_for(lambda: world.server.primary is not old)
    world.pause(0, 2 * LEASE)
    first.heal()
    world.server.reunite()
    see_that_they_work(world)


def _our_commands(node: Node) -> int:
    """How often anybody but sentinels and servers has used it since it was started."""
    used = node.client.info("commandstats")
    return sum(used.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha", "blmove", "xread"))


FAILOVER_SCENARIOS: dict[str, Callable[[GuardedWorld], None]] = {
    each.__name__: each for each in (primary_killed, living_primary_replaced)
}

NETWORK_FAILOVER_SCENARIOS: dict[str, Callable[[GuardedNetworkWorld], None]] = {
    each.__name__: each for each in (primary_host_cut_off, replication_cut_first)
}
"""These need root as well."""
