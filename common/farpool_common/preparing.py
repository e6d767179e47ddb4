"""Gets a chunk ready to run: reads it, finds its function, runs its initializer."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from farpool_common.by_value import Loader, Warrant
from farpool_common.calls import of_task
from farpool_common.chunk import Chunk, Initializer, decode_chunk, written
from farpool_common.errors import FunctionNotFoundError, InitializerError
from farpool_common.failure import Failure
from farpool_common.sealing import Sealer
from farpool_common.signing import SigningKey
from farpool_common.trust import Trust, class_of, is_allowed, not_allowed, resolve

NO_WARRANT = Warrant("", "")


@dataclass(frozen=True)
class Prepared:
    """A chunk whose function was found and whose initializer has run."""

    chunk: Chunk
    function: Callable[..., Any]


class Preparer:
    """Gets chunks ready, and remembers what this process has been initialized for."""

    def __init__(
        self, trust: Trust, objects: Callable[[str], Any] | None = None, key: SigningKey | None = None
    ) -> None:
        """`objects` gives the values of stored objects by their ids; `key` opens functions and values that
        were pickled."""
        self._loader, self._key, self.seal = Loader(), key, Sealer(key)
        self._trust, self._objects = trust, objects
        self.classes = partial(class_of, trust=trust)
        self._initialized: dict[str, str] = {}  # owners, and how it went: "" or why they are broken

    def prepare(self, envelope: bytes, buffers: Sequence[memoryview], warrant: Warrant = NO_WARRANT) -> Prepared:
        """Nothing of a sealed task is read before the seal was found good.

        Raises DecodeError, FunctionNotAllowedError, FunctionNotFoundError, CodeNotTrustedError,
        PythonVersionError or InitializerError."""
        if warrant.seal:
            warrant.check(self._key, written(envelope, buffers))
        chunk = decode_chunk(envelope, buffers, classes=self.classes, objects=self._objects, seal=self.seal)
        if chunk.holds_code() and not warrant.seal:
            warrant.check(self._key, b"")
        if chunk.initializer is not None:  # first: it may set up what the function's module needs
            self._initialize(chunk.initializer)
        if chunk.code:
            name, function = self._loader.load(chunk.code)
            chunk = replace(chunk, function=name)
        else:
            function = self.function(chunk.function)
        return Prepared(chunk, function)

    def seal_for(self, chunk: Chunk) -> Sealer | None:
        """How results travel that only a pickle can describe; None where their producer could not read them."""
        return self.seal if chunk.opens and self._key is not None else None

    def function(self, name: str) -> Callable[..., Any]:
        """The function of a name that may run here."""
        return resolve(name, self._trust)

    def check(self, owner: type) -> None:
        """Raise FunctionNotAllowedError unless methods of this class may run here."""
        if not is_allowed(owner.__module__, self._trust):
            raise not_allowed(f"{owner.__module__}.{owner.__qualname__}", owner.__module__)

    def check_allowed(self, name: str) -> None:
        """Raise FunctionNotAllowedError unless this function may run here; whether it exists is another question."""
        if not self._trust.everything:
            with suppress(FunctionNotFoundError):
                self.function(name)

    def _initialize(self, initializer: Initializer) -> None:
        """Once in this process for each owner, whether it succeeds or not.  Raises InitializerError."""
        trouble = self._initialized.get(initializer.owner)
        if trouble is None:
            self._run(initializer)
        elif trouble:
            raise InitializerError(trouble, initializer.owner)

    def _run(self, initializer: Initializer) -> None:
        name = initializer.function
        try:
            if initializer.code:
                name, function = self._loader.load(initializer.code)
            else:
                function = self.function(name)
            function(*initializer.args)
        except BaseException as error:  # SystemExit too
            reason = Failure.of(error).message.rstrip(".")
            trouble = (
                f"the initializer {name} failed: {type(error).__name__}: {reason}. Its executor runs no more calls: "
                "mend the initializer and make a new one."
            )
            self._initialized[initializer.owner] = trouble
            raise InitializerError(trouble, initializer.owner) from of_task(error)
        self._initialized[initializer.owner] = ""
