"""Threads that nobody waits for, and bells: by what ``threading`` is made of, for it takes longer to import."""

import _thread
from typing import Any, Callable

turn = _thread.allocate_lock  # a lock, for what only one thread at a time may do


def begin(work: Callable[..., None], *given: Any) -> None:
    """Have ``work`` done aside; it ends with the process at the latest."""
    _thread.start_new_thread(work, given)


class Bell:
    """One thread waits for it, any may ring it; where nobody waits, the next one who does hears it."""

    def __init__(self) -> None:
        self.silence = _thread.allocate_lock()
        self.silence.acquire()

    def ring(self) -> None:
        try:
            self.silence.release()
        except RuntimeError:
            pass  # it has been rung, and not been heard yet

    def wait(self, seconds: float = -1) -> bool:
        """Until it is rung, or so many seconds; whether it was."""
        return self.silence.acquire(True, seconds)
