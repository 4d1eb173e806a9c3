"""All logs of the plan, by the node's own grep."""

import fcntl
import glob
import json
import os
import re
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from stackdoctor.collect.agent.commands import PIECE, Child, Ended, start
from stackdoctor.collect.agent.logfile import LINE, SMALL, TOGETHER, LogFile, MemoryFile, Signature, text
from stackdoctor.collect.agent.loop import Loop

F_SETPIPE_SZ = 1031  # fcntl(2)


class GrepOutput:
    """Cuts grep's output (``offset:line``) into lines and hands each to the file that it is from."""

    def __init__(self, parts: List[Tuple[int, int, LogFile]]) -> None:
        self.parts = parts  # where each file's window begins in the input, where in the file, and the file
        self.rest = b""
        self.skipping = False

    def feed(self, data: bytes) -> None:
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            if self.skipping:
                self.skipping = False
            else:
                self.line(line)
        if len(self.rest) > LINE * 2:
            if not self.skipping:
                self.line(self.rest)
            self.rest, self.skipping = b"", True

    def line(self, line: bytes) -> None:
        number, colon, content = line.partition(b":")
        if not colon or not number.isdigit():
            return
        offset = int(number)
        begin, start, file = next((p for p in reversed(self.parts) if p[0] <= offset), self.parts[0])
        file.hit(start + offset - begin, content)


class LogScan:
    """All logs of the plan: windows by binary search, the node's own grep over them, Python for the hits only."""

    def __init__(self, plan: Dict[str, Any], loop: Loop, done: Callable[[Ended], None]) -> None:
        self.plan, self.loop, self.done = plan, loop, done
        self.until = time.time()
        self.since = self.until - plan["window"]
        self.signatures = [Signature(s) for s in plan["signatures"]]
        self.patterns = "".join(s.grep + "\n" for s in self.signatures).encode("utf-8")
        self.files: List[LogFile] = []
        self.pending = 0
        self.gnu = False

    def begin(self) -> None:
        def identified(version: Ended) -> None:
            self.gnu = b"GNU grep" in version.out
            self.loop.add(self.look)

        self.loop.add(lambda: start(["grep", "--version"], 5.0, PIECE, identified))

    def look(self) -> None:
        together: List[LogFile] = []
        taken = 0
        self.pending = 1
        for file in self.find():
            self.files.append(file)
            if not file.open(self.since) or not file.signatures:
                continue
            length = file.size - file.start
            if not self.gnu:
                self.by_python(file)
            elif isinstance(file.file, MemoryFile) or (length <= SMALL and taken + length <= TOGETHER):
                together.append(file)
                taken += length
            else:
                self.grep_alone(file)
        if together:
            self.grep_together(together)
        self.finished()

    def find(self) -> Iterator[LogFile]:
        seen: Set[Any] = set()
        for source in self.plan["sources"]:
            for pattern in source["files"]:
                folder = os.path.dirname(re.sub(r"[*?\[].*", "", pattern))
                if os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK) and folder not in seen:
                    seen.add(folder)
                    hidden = LogFile(folder, source["service"], source["format"], [], self.plan)
                    hidden.status = "denied"
                    self.files.append(hidden)
                for path in sorted(
                    glob.glob(pattern) + glob.glob(pattern + ".[0-9]*") + glob.glob(pattern + "-[0-9]*")
                ):
                    try:
                        known = os.stat(path)
                    except OSError:
                        continue
                    if (known.st_dev, known.st_ino) not in seen:
                        seen.add((known.st_dev, known.st_ino))
                        service = source["service"] or service_of(path)
                        yield LogFile(path, service, source["format"], self.signatures, self.plan)

    def grep_together(self, files: List[LogFile]) -> None:
        """One grep over the windows of many small files, side by side in memory."""
        parts, pieces, at = [], [], 0
        for file in files:
            window = file.read_at(file.start, file.size - file.start)
            if not window.endswith(b"\n"):
                window += b"\n"
            parts.append((at, file.start, file))
            pieces.append(window)
            at += len(window)
        output = GrepOutput(parts)
        if hasattr(os, "memfd_create"):
            memory = os.memfd_create("logs")
            with os.fdopen(os.dup(memory), "wb") as stream:
                stream.writelines(pieces)
            os.lseek(memory, 0, os.SEEK_SET)
            self.grep(memory, output)
        else:
            for file in files:
                if isinstance(file.file, MemoryFile):
                    self.by_python(file)
                else:
                    self.grep_alone(file)

    def grep_alone(self, file: LogFile) -> None:
        fd = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
        os.lseek(fd, file.start, os.SEEK_SET)
        self.grep(fd, GrepOutput([(0, file.start, file)]))

    def grep(self, stdin: int, output: GrepOutput) -> None:
        self.pending += 1

        def ended(result: Ended) -> None:
            if result.status != "ran" or result.exit not in (0, 1):
                why = result.reason or text(result.err).strip()[:200]
                for _, _, file in output.parts:
                    file.status = "unreadable: grep: %s" % why
            self.finished()

        def begin() -> Optional[Child]:
            fd = pattern_pipe(self.patterns)
            try:
                argv = ["grep", "-E", "-a", "-b", "-f", "/dev/fd/%d" % fd]
                return start(
                    argv, max(1.0, self.loop.deadline - time.monotonic()), PIECE, ended, output.feed, stdin, (fd,)
                )
            finally:
                os.close(fd)
                os.close(stdin)

        self.loop.add(begin)

    def by_python(self, file: LogFile) -> None:
        """Without GNU grep: line by line, slowly."""
        offset = file.start
        for line in file.read_at(file.start, min(file.size - file.start, TOGETHER)).split(b"\n"):
            if any(s.regex.search(line[:LINE]) for s in file.signatures):
                file.hit(offset, line)
            offset += len(line) + 1

    def finished(self) -> None:
        self.pending -= 1
        if self.pending:
            return
        found = {
            "since": self.since,
            "until": self.until,
            "grep": "gnu" if self.gnu else "python",
            "files": [file.described() for file in self.files],
            "hits": [hit for file in self.files for hit in file.hits()],
        }
        content = json.dumps(found).encode("ascii")
        self.done(Ended("ran", 0, content, b"", self.until, time.time() - self.until, ""))


def pattern_pipe(patterns: bytes) -> int:
    """A descriptor to read the patterns from, without a file."""
    read, write = os.pipe()
    try:
        if len(patterns) > PIECE:
            fcntl.fcntl(write, F_SETPIPE_SZ, 1 << 20)
        os.set_blocking(write, False)
        os.write(write, patterns)
    finally:
        os.close(write)
    return read


def service_of(path: str) -> str:
    """The service that a log is of, by its name: nova-compute.log.1.gz, openstack-nova-api.log-20240101."""
    name = os.path.basename(path)
    name = re.sub(r"(?:\.gz|\.xz|\.bz2)?$", "", name)
    name = re.sub(r"(?:[.-]\d+)*$", "", name)
    name = re.sub(r"\.log$", "", name)
    if name.startswith("rabbit@"):
        return "rabbitmq-server"
    return name[len("openstack-") :] if name.startswith("openstack-") else name
