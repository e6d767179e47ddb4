"""Results of a pool's asynchronous calls, as multiprocessing hands them out."""

import concurrent.futures
import multiprocessing
import sys
import threading
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

Callback = Callable[[Any], object]
ErrorCallback = Callable[[BaseException], object]


class AsyncResult:
    """What a call will have returned.  `future` is the call's own, for `wait`, `as_completed` and asyncio."""

    def __init__(
        self,
        future: "concurrent.futures.Future[Any]",
        callback: Callback | None = None,
        error_callback: ErrorCallback | None = None,
    ) -> None:
        self.future = future
        self._callback, self._error_callback = callback, error_callback
        self._told = threading.Event()
        if callback is None and error_callback is None:
            self._told.set()
        else:
            future.add_done_callback(self._tell)

    def ready(self) -> bool:
        """Whether the call is over, and the callback too."""
        return self.future.done() and self._told.is_set()

    def successful(self) -> bool:
        """Whether the call returned.  Raises ValueError before it is over."""
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return not self.future.cancelled() and self.future.exception() is None

    def wait(self, timeout: float | None = None) -> None:
        """Return when the call is over, or after `timeout` seconds."""
        deadline = None if timeout is None else monotonic() + max(0.0, timeout)
        try:
            self.future.exception(timeout if timeout is None else max(0.0, timeout))
        except concurrent.futures.CancelledError:
            pass
        except TimeoutError:
            return
        self._told.wait(None if deadline is None else max(0.0, deadline - monotonic()))

    def get(self, timeout: float | None = None) -> Any:
        """The result, or what the call raised.  Raises `multiprocessing.TimeoutError` after `timeout` seconds, and
        CancelledError when the pool was terminated."""
        self.wait(timeout)
        if not self.ready():
            raise multiprocessing.TimeoutError
        return self.future.result()

    def _tell(self, future: "concurrent.futures.Future[Any]") -> None:
        try:
            if future.cancelled():
                return
            failure = future.exception()
            if failure is None and self._callback is not None:
                self._callback(future.result())
            elif failure is not None and self._error_callback is not None:
                self._error_callback(failure)
        except Exception as error:  # it must not end the thread that brings the results of all others
            sys.excepthook(type(error), error, error.__traceback__)
        finally:
            self._told.set()


class MapResult(AsyncResult):
    """What a map will have returned: a list."""

    def __init__(self, callback: Callback | None, error_callback: ErrorCallback | None) -> None:
        super().__init__(concurrent.futures.Future(), callback, error_callback)

    def gather(self, results: Iterator[Any]) -> None:
        """Take all results of the map; the thread that does this calls the callback."""
        try:
            found = list(results)
        except concurrent.futures.CancelledError:
            self.future.cancel()
            self.future.set_running_or_notify_cancel()
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(found)
