"""A server and workers on this machine that live exactly as long as the process that started them."""

from farpool.embedded.binary import find_server_binary
from farpool.embedded.local_pool import LocalPool
from farpool.embedded.process_pool import process_pool
from farpool.embedded.server import Server
from farpool.embedded.worker_process import WorkerPlan, WorkerProcess

__all__ = ["LocalPool", "Server", "WorkerPlan", "WorkerProcess", "find_server_binary", "process_pool"]
