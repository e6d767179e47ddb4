"""Results that a child leaves with its daemon: the description travels in the outcome, the value beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from farpool_common.calls import Results
from farpool_common.codec import Seal
from farpool_common.delivery import cannot_travel
from farpool_common.failure import Failure
from farpool_common.stored_results import Ownership, Sizes, StoredResult, read_description, stored_result


@dataclass(frozen=True)
class ObjectToStore:
    """What the daemon is to store; the segments of its message hold the parts."""

    id: str
    sizes: Sizes
    owner: str
    seconds: int

    @classmethod
    def of(cls, result: StoredResult, ownership: Ownership) -> "ObjectToStore":
        """A result, for its owner."""
        return cls(result.id, result.sizes, ownership.owner, ownership.seconds)

    @property
    def fields(self) -> list[Any]:
        """What travels through the pipe."""
        return [self.id, self.sizes, self.owner, self.seconds]

    @classmethod
    def from_fields(cls, fields: Sequence[Any] | None) -> "ObjectToStore | None":
        """The object that was described by `fields`."""
        if fields is None:
            return None
        object_id, sizes, owner, seconds = fields
        return cls(*read_description([object_id, sizes]), owner, seconds)


def stored_one_by_one(
    results: Results, function: str, most_bytes: int, seal: Seal | None
) -> Iterator[tuple[Results, StoredResult | None]]:
    """Each call by itself, with its value where there is one; a value that cannot be stored has failed."""
    for place, value in enumerate(results.values):
        index = results.first + place
        one = replace(results, first=index, values=[None], failures={}, seconds=results.seconds / len(results.values))
        if index in results.failures:
            yield replace(one, failures={index: results.failures[index]}), None
            continue
        try:
            found = stored_result(value, function, most_bytes, seal)
        except Exception as error:  # or whatever a property of the value raised
            yield replace(one, failures={index: Failure.of(cannot_travel(function, error))}), None
        else:
            yield replace(one, values=[found.description]), found
