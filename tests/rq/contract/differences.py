"""Where farpool deliberately leaves something else than RQ, and why.  Everything else must be equal."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """A reason, and the traces that it excuses: cases, and keys or fields."""

    reason: str
    cases: str
    names: str

    def excuses(self, case: str, name: str) -> bool:
        """Whether this is why RQ's value and ours differ."""
        return bool(re.fullmatch(self.cases, case) and re.fullmatch(self.names, name))


DIFFERENCES = (
    Difference("fields of farpool's own count attempts and say which execution ended", ".*", r"rq:job:\S+ farpool_\w+"),
    Difference(
        "what cannot be read or found is told in farpool's words, which say what to do",
        "(a function that does not exist|damaged data).*",
        r"rq:results:job \d exc_string",
    ),
    Difference(
        "a result that cannot travel fails its job; RQ stores a placeholder as a success",
        "a result that cannot travel.*",
        r"rq:(results|finished|failed|job)\S* ?.*",
    ),
    Difference(
        "the id of a deleted job is dropped at once; RQ leaves it in its intermediate list until maintenance",
        "deleted while it waits.*",
        r"rq:queue:default:intermediate.*",
    ),
    Difference(
        "who ran a job that was stopped or killed, and when it ended, stays known; RQ saves an older copy over it",
        "(stop-job|stop-execution|kill-horse).*",
        r"rq:job:job (worker_name|last_heartbeat|ended_at)|rq:results:job \d execution_ended_at",
    ),
    Difference(
        "the failure of a job whose process died names the slot, the host, the process and the signal",
        "kill-horse.*",
        r"rq:results:job \d exc_string",
    ),
)
