"""The only door to Redis: one script per transition, errors translated, decisions left to callers."""

from farpool_common.broker.balance import Balance, balance
from farpool_common.broker.connection import client_of, connect, masked
from farpool_common.broker.doorbell import Doorbell
from farpool_common.broker.durability import Durability
from farpool_common.broker.hosts import Host, live_hosts
from farpool_common.broker.kept import KeptResults, Record
from farpool_common.broker.objects import StoredObjects
from farpool_common.broker.outages import OUTAGES, WAITED_OUT, translated
from farpool_common.broker.payloads import STORED_SECONDS, Payloads
from farpool_common.broker.producer import ProducerBroker
from farpool_common.broker.registration import deregister, is_taken, note_shutdown, register
from farpool_common.broker.replies import Question, Reply
from farpool_common.broker.sayings import Said, Saying, progress_of, said_by
from farpool_common.broker.server import check_server
from farpool_common.broker.shared import SharedBroker, Step
from farpool_common.broker.stock import StockEnd
from farpool_common.broker.values import Beat, Claimed, Delivery, Finish, JobEnd, Recovered, Written
from farpool_common.broker.worker import WorkerBroker
from farpool_common.task import DEFAULT_RETRIES, Malformed, NewTask, Task

__all__ = [
    "DEFAULT_RETRIES",
    "OUTAGES",
    "STORED_SECONDS",
    "WAITED_OUT",
    "Balance",
    "Beat",
    "Claimed",
    "Delivery",
    "Doorbell",
    "Durability",
    "Finish",
    "Host",
    "JobEnd",
    "KeptResults",
    "Malformed",
    "NewTask",
    "Payloads",
    "ProducerBroker",
    "Question",
    "Record",
    "Recovered",
    "Reply",
    "Said",
    "Saying",
    "SharedBroker",
    "Step",
    "StockEnd",
    "StoredObjects",
    "Task",
    "WorkerBroker",
    "Written",
    "balance",
    "check_server",
    "client_of",
    "connect",
    "deregister",
    "is_taken",
    "live_hosts",
    "masked",
    "note_shutdown",
    "progress_of",
    "register",
    "said_by",
    "translated",
]
