"""A daemon that starts while messages get lost joins all the same."""

import pytest
from proxy import Harm, Rule
from world import World


@pytest.mark.parametrize("harm", [Harm.LOSE_REQUEST, Harm.LOSE_REPLY])
def test_a_daemon_joins_though_a_message_of_every_step_is_lost(harm, tmp_path, seed):
    with World("joining", seed, tmp_path) as world:
        for command in ("INFO", "TIME", "ZSCORE", "recover", "CLIENT", "MULTI", "heartbeat"):
            world.proxy.rules.append(Rule(command, harm))
        world.start_daemons("a")
        world.submit(3)
        assert world.settle().is_good
        assert all(rule.done for rule in world.proxy.rules), world.proxy.rules
