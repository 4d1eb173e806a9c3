"""All logs of the plan, by the node's own grep."""

import fcntl
import json
import os
import re
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from stackdoctor.collect.agent.commands import F_SETPIPE_SZ, PIECE, Child, Ended, start
from stackdoctor.collect.agent.globs import found_by
from stackdoctor.collect.agent.logfile import SMALL, LogFile, Signature, text
from stackdoctor.collect.agent.loop import Loop
from stackdoctor.collect.agent.records import LINE, read_at
from stackdoctor.collect.agent.unpacked import Unpacked

TOGETHER = 1 << 25
UNPACKED = 1 << 27
BLOCK = 1 << 20
OWN = 1 << 19  # a larger log is worth a grep for its own patterns: few are gone through several times as fast
TEXT = 1 << 24  # of all samples; beyond it each is cut to one line


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
        self.files: List[LogFile] = []
        self.pending = 0
        self.unread: Set[LogFile] = set()
        self.gnu = False
        loop.at_end.append(self.leave)

    def begin(self) -> None:
        def identified(version: Ended) -> None:
            self.gnu = b"GNU grep" in version.out
            self.loop.add(self.look)

        self.loop.add(lambda: start(["grep", "--version"], 5.0, PIECE, identified))

    def look(self) -> None:
        together: Dict[Tuple[str, ...], List[LogFile]] = {}
        taken = unpacked = 0
        self.pending = 1
        for file in self.find():
            self.files.append(file)
            if not file.signatures or not file.open(self.since):
                continue
            self.unread.add(file)
            length = file.size - file.start
            if isinstance(file.file, Unpacked):
                unpacked += len(file.file.content)
                if unpacked > UNPACKED:
                    file.give_up("more than %d MiB of logs when unpacked" % (UNPACKED >> 20))
                    self.unread.remove(file)
                    continue
            if not self.gnu:
                self.by_python(file)
            elif length <= SMALL and taken + length <= TOGETHER:
                whose = tuple(s.id for s in file.signatures) if length > OWN else ()
                together.setdefault(whose, []).append(file)
                taken += length
            else:
                self.grep_alone(file)
        for files in together.values():
            self.grep_together(files)
        self.finished()

    def find(self) -> Iterator[LogFile]:
        seen: Set[Any] = set()
        for source in self.plan["sources"]:
            for pattern in source["files"]:
                for folder in hidden_folders(pattern):
                    if folder not in seen:
                        seen.add(folder)
                        hidden = LogFile(folder, source["service"], source["format"], [], self.plan)
                        hidden.status = "denied"
                        self.files.append(hidden)
                for path in sorted(found_by(pattern) + found_by(pattern + ".[0-9]*") + found_by(pattern + "-[0-9]*")):
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
        if not hasattr(os, "memfd_create"):
            for file in files:
                self.grep_alone(file)
            return
        parts, at = [], 0
        memory = os.memfd_create("logs")
        with os.fdopen(os.dup(memory), "wb") as stream:
            for file in files:
                window = read_at(file.file, file.start, file.size - file.start)
                if not window.endswith(b"\n"):
                    window += b"\n"
                parts.append((at, file.start, file))
                stream.write(window)
                at += len(window)
        os.lseek(memory, 0, os.SEEK_SET)
        self.grep(memory, GrepOutput(parts))

    def grep_alone(self, file: LogFile) -> None:
        if not isinstance(file.file, Unpacked):
            # not by its path, which may have become another file's, nor as a duplicate, whose place we move
            fd = os.open("/proc/self/fd/%d" % file.file.fileno(), os.O_RDONLY | os.O_CLOEXEC)
            os.lseek(fd, file.start, os.SEEK_SET)
            self.grep(fd, GrepOutput([(0, file.start, file)]))
        elif hasattr(os, "memfd_create"):
            self.grep_together([file])
        else:
            self.by_python(file)

    def grep(self, stdin: int, output: GrepOutput) -> None:
        self.pending += 1

        def ended(result: Ended) -> None:
            for _, _, file in output.parts:
                if result.status != "ran" or result.exit not in (0, 1):
                    file.give_up("grep: %s" % (result.reason or text(result.err).strip()[:200]))
                self.unread.discard(file)
            self.finished()

        wanted = {s.id: s.grep for _, _, file in output.parts for s in file.signatures}

        def begin() -> Optional[Child]:
            fd = pattern_pipe("".join(grep + "\n" for grep in wanted.values()).encode("utf-8"))
            try:
                # in the C locale it takes any bytes for text, and less time
                argv = ["env", "LC_ALL=C", "grep", "-E", "-a", "-b", "-f", "/dev/fd/%d" % fd]
                return start(
                    argv, max(1.0, self.loop.deadline - time.monotonic()), PIECE, ended, output.feed, stdin, (fd,)
                )
            finally:
                os.close(fd)
                os.close(stdin)

        self.loop.add(begin)

    def by_python(self, file: LogFile) -> None:
        """Without GNU grep: line by line, slowly, and block by block, so that all else goes on meanwhile."""
        self.pending += 1

        def look_at(offset: int) -> None:
            block = read_at(file.file, offset, min(BLOCK, file.size - offset))
            end = offset + len(block)
            if end < file.size and b"\n" in block:
                block = block[: block.rindex(b"\n") + 1]
                end = offset + len(block)
            for line in block.split(b"\n"):
                if any(s.regex.search(line[:LINE]) for s in file.signatures):
                    file.hit(offset, line)
                offset += len(line) + 1
            if block and end < file.size:
                self.loop.at(time.monotonic(), lambda: look_at(end))
            else:
                self.unread.discard(file)
                self.finished()

        self.loop.at(time.monotonic(), lambda: look_at(file.start))

    def leave(self) -> None:
        """The time is used up: report what was found until now, and say of which files that is not all."""
        if self.pending:
            for file in self.unread:
                file.give_up(self.loop.used_up)
            self.pending = 1
            self.finished()

    def finished(self) -> None:
        self.pending -= 1
        if self.pending:
            return
        found = {
            "since": self.since,
            "until": self.until,
            "grep": "gnu" if self.gnu else "python",
            "files": [file.described() for file in self.files],
            "hits": cut_short([hit for file in self.files for hit in file.hits()]),
        }
        content = json.dumps(found).encode("ascii")
        self.done(Ended("ran", 0, content, b"", self.until, time.time() - self.until, ""))


def hidden_folders(pattern: str) -> List[str]:
    """The folders that the glob looks into and that we may not list; where there are none, the one on their way."""
    folders = [f for f in found_by(os.path.dirname(pattern)) if os.path.isdir(f)]
    if folders:
        return [f for f in folders if not os.access(f, os.R_OK | os.X_OK)]
    folder = os.path.dirname(re.sub(r"[*?\[].*", "", pattern))
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return [] if os.access(folder, os.X_OK) else [folder]


def cut_short(hits: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """``hits`` with as much text in their samples as fits into one message."""
    room = TEXT
    for hit in hits:
        for sample in hit["samples"]:
            if room < len(sample["text"]):
                sample["text"] = sample["text"][:300].partition("\n")[0]
            room -= len(sample["text"])
    return hits


def pattern_pipe(patterns: bytes) -> int:
    """A descriptor to read the patterns from, without a file."""
    read, write = os.pipe()
    try:
        if len(patterns) > PIECE:
            fcntl.fcntl(write, F_SETPIPE_SZ, 1 << 20)
        os.set_blocking(write, False)
        if os.write(write, patterns) < len(patterns):
            raise OSError("the patterns are too long")
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
