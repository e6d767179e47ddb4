"""Failovers that sentinels decide, under load and with durability `replica`."""

import time
from collections.abc import Callable

from daemons import wait_for
from replicated import Node
from sentinels import DOWN_AFTER_MS, Guarded
from world import World

MOVE_SECONDS = 2.5
"""By then all connections have moved: one look a second, and reads that wait for a second."""


class GuardedWorld(World):
    """Daemons and producer know three sentinels and the name of a service, and no server."""

    server: Guarded

    def build(self, has_replica: bool) -> None:
        self.server, self.durability = Guarded(self.folder), "replica"
        self.url = self.server.service_url

    def clear(self) -> None:
        self.server.kill()

    def served_again(self) -> None:
        """Daemons have not been started again, and work."""
        if any(daemon.process.poll() is not None for daemon in self.daemons):
            self.verdict.notes.append("a daemon has ended")
        self.submit(4, jobs=0)


def primary_killed(world: GuardedWorld) -> None:
    """SIGKILL to the primary; later it comes back with all it knew, a primary in its own eyes."""
    world.start_daemons("a", "b")
    world.submit(30, jobs=0)
    world.wait_until_running(2)
    world.pause(0, 0.5)
    old = world.server.primary
    world.harm()
    old.kill()
    world.submit(10, jobs=0)
    wait_for(lambda: world.server.primary is not old)
    world.pause(0, 2 * DOWN_AFTER_MS / 1000)
    old.start()
    wait_for(lambda: _is_replica(old) or _our_commands(old))
    if _our_commands(old):
        world.verdict.notes.append("a primary of the past got commands of ours")
    world.served_again()


def living_primary_replaced(world: GuardedWorld) -> None:
    """SENTINEL FAILOVER: the old primary takes writes for some 8 s more, which are lost when it becomes a replica."""
    world.start_daemons("a", "b")
    world.submit(30, jobs=0)
    world.wait_until_running(2)
    old = world.server.primary
    world.harm()
    world.server.fail_over()
    world.submit(10, jobs=0)
    time.sleep(MOVE_SECONDS)
    before = _our_commands(old)
    world.submit(10, jobs=0)
    world.pause(1.0, 2.0)
    if _our_commands(old) != before:
        world.verdict.notes.append("the primary of the past still gets commands of ours")
    world.served_again()


def _is_replica(node: Node) -> bool:
    return bool(node.client.info("replication")["role"] == "slave")


def _our_commands(node: Node) -> int:
    """How often anybody but sentinels and servers has used it since it was started."""
    used = node.client.info("commandstats")
    return sum(used.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha", "blmove", "xread"))


FAILOVER_SCENARIOS: dict[str, Callable[[GuardedWorld], None]] = {
    each.__name__: each for each in (primary_killed, living_primary_replaced)
}
