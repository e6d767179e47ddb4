"""All faults, by name.  The rows are those of docs/reliability.md."""

import os

from faults import messages, processes, records, servers, soak, tasks
from faults.failovers import FAILOVER_SCENARIOS, NETWORK_FAILOVER_SCENARIOS, GuardedNetworkWorld, GuardedWorld
from faults.fault import Fault
from faults.networks import NETWORK_SCENARIOS, NETWORK_WITHOUT_EXTRA_RUNS, NetworkWorld

FAULTS: dict[str, Fault] = {
    "child_killed": Fault(processes.child_killed, is_top=True),
    "daemon_killed": Fault(processes.daemon_killed, is_top=True),
    "daemon_stopped": Fault(processes.daemon_stopped, is_top=True),
    "host_stopped": Fault(processes.host_stopped, is_top=True),
    "rolling_restart": Fault(processes.rolling_restart, is_top=True, may_rerun=False),
    "ended_at_each_step": Fault(processes.ended_at_each_step, least=len(processes.STEPS)),
    "wrong_clocks": Fault(processes.wrong_clocks, may_rerun=False),
    "no_descriptors": Fault(processes.no_descriptors),
    "messages_lost": Fault(messages.messages_lost, is_top=True),
    "partition": Fault(messages.partition, is_top=True),
    "slow_network": Fault(messages.slow_network, may_rerun=False),
    "server_killed": Fault(servers.server_killed, is_top=True),
    "herd": Fault(servers.herd),
    "failover": Fault(servers.failover, is_top=True, has_replica=True),
    "out_of_memory": Fault(servers.out_of_memory, is_top=True, may_rerun=False),
    "server_refuses": Fault(servers.server_refuses),
    "server_forgets": Fault(servers.server_forgets),
    "poison": Fault(tasks.poison, is_top=True),
    "bad_tasks": Fault(tasks.bad_tasks),
    "giants": Fault(tasks.giants, may_rerun=False),
    "duplicates": Fault(records.duplicates, may_rerun=False),
    "junk": Fault(records.junk, is_top=True, may_rerun=False),
}

FAULTS |= {name: Fault(harm, world=GuardedWorld) for name, harm in FAILOVER_SCENARIOS.items()}

if os.geteuid() == 0:  # network namespaces are for root alone
    FAULTS |= {
        name: Fault(harm, world=NetworkWorld, may_rerun=name not in NETWORK_WITHOUT_EXTRA_RUNS)
        for name, harm in NETWORK_SCENARIOS.items()
    }
    FAULTS |= {name: Fault(harm, world=GuardedNetworkWorld) for name, harm in NETWORK_FAILOVER_SCENARIOS.items()}

FAULTS["soak"] = Fault(soak.soak, is_once=True)

TOP = {name: fault for name, fault in FAULTS.items() if fault.is_top}
"""Those that matter most: one round of each is part of `make test`."""

__all__ = ["FAULTS", "TOP", "Fault"]
