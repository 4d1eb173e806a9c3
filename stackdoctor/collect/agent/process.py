"""A started program: its pipes, and how it ended."""

import os
import signal
from functools import lru_cache
from typing import Any, Dict, List, Optional, Sequence


class Process:
    """A program with pipes for what it prints, in a session of its own; raises OSError where it cannot be started.

    By posix_spawn(3), for which nothing has to be imported: subprocess takes as long as a good many commands.
    """

    def __init__(self, argv: List[str], stdin: Optional[int] = None, pass_fds: Sequence[int] = ()) -> None:
        self.returncode = None  # type: Optional[int]
        self.stdout, out = os.pipe()
        self.stderr, err = os.pipe()
        given = os.open(os.devnull, os.O_RDONLY) if stdin is None else stdin
        try:
            for fd in pass_fds:
                os.set_inheritable(fd, True)
            self.pid = spawned(argv, given, out, err, pass_fds)
        except BaseException:
            self.close()
            raise
        finally:
            os.close(out)
            os.close(err)
            if stdin is None:
                os.close(given)

    def poll(self) -> Optional[int]:
        """How it ended, a signal as a negative number; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return self.returncode

    def close(self) -> None:
        """Read no more of it."""
        os.close(self.stdout)
        os.close(self.stderr)


@lru_cache(maxsize=None)
def surroundings() -> Dict[bytes, bytes]:
    """The environment, which does not change any more: os.environ puts it together again for each look."""
    return dict(os.environb)


def spawned(argv: List[str], stdin: int, out: int, err: int, pass_fds: Sequence[int]) -> int:
    """The process id of ``argv``, started on three descriptors as its first."""
    spawn: Any = getattr(os, "posix_spawnp", None)  # since Python 3.8
    if spawn is not None:
        actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate((stdin, out, err))]
        try:
            found: int = spawn(
                argv[0],
                argv,
                surroundings(),
                file_actions=actions,
                setsid=True,
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
            )
            return found
        except NotImplementedError:
            pass  # a C library from before 2017
    import subprocess

    process = subprocess.Popen(argv, stdin=stdin, stdout=out, stderr=err, start_new_session=True, pass_fds=pass_fds)
    process.returncode = 0  # it is waited for here, and never by its end
    return process.pid
