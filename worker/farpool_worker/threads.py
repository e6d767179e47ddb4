"""Background threads of the daemon: named, supervised, stopped together."""

import threading
from collections.abc import Callable


class Background:
    """Threads that live and die together.  When one ends by itself, `failed` tells why and `on_end` is called."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        self.stop = threading.Event()
        self.failed: BaseException | None = None
        self._on_end = on_end
        self._threads: list[threading.Thread] = []

    def start(self, name: str, run: Callable[[threading.Event], None]) -> None:
        """Run `run(stop)` in a thread of this name."""
        thread = threading.Thread(target=self._guard, args=(name, run), name=f"farpool-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guard(self, name: str, run: Callable[[threading.Event], None]) -> None:
        try:
            run(self.stop)
            if not self.stop.is_set():
                raise RuntimeError(f"the thread {name} ended by itself")
        except BaseException as error:
            self.failed = self.failed or error
            self._on_end()

    def close(self, seconds: float) -> None:
        """Ask all threads to end and wait for them, at most so long for each."""
        self.stop.set()
        for thread in self._threads:
            thread.join(seconds)
