"""`python -m bench [w1 w2 ...]`: all workloads, or those named."""

import importlib
import sys

WORKLOADS = {
    "w1": "bench.w1_submits",
    "w2": "bench.w2_latency",
    "w3": "bench.w3_map",
    "w4": "bench.w4_numpy",
    "w5": "bench.w5_arrays",
    "w6": "bench.w6_backlog",
    "w7": "bench.w7_idle",
    "w9": "bench.w9_hosts",
    "hosts": "bench.thousand_hosts",
    "rq": "bench.rq_jobs",
}

if __name__ == "__main__":
    for name in sys.argv[1:] or WORKLOADS:
        importlib.import_module(WORKLOADS[name]).main()
