"""The node agent: runs a plan on the node and streams what comes of it; one file, Python 3.6 and later.

It comes over standard input and is never written to the node's disk.  It runs commands without a shell, bounded
in number, time and output, scans logs where they lie, redacts secrets before anything travels, and ends with
everything it started as soon as its standard input closes.
"""

import calendar
import errno
import fcntl
import fnmatch
import glob
import gzip
import heapq
import json
import os
import re
import selectors
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections import OrderedDict
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

PIECE = 1 << 16
GRACE = 0.5  # after a command ended, for what it left holding its pipes
STUBBORN = 2.0  # between SIGTERM and SIGKILL
PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"

# ---------------------------------------------------------------- secrets

_VALUE = rb"(\"[^\"\n]{1,4096}\"|'[^'\n]{1,4096}'|[^\s\"',;&<>{}\[\]()]{1,4096})"
_SECRETS = (
    # scheme://user:password@host, and the further hosts of a transport_url
    (re.compile(rb"(://[^\s:/@,\"']{0,200}:)[^\s@/\"']{1,500}(?=@)"), rb"\1<redacted>"),
    (re.compile(rb"(,[^\s:/@,\"']{1,200}:)[^\s@/,:\"']{1,500}(?=@)"), rb"\1<redacted>"),
    (re.compile(rb"(iscsi://[^\s%@/]{1,200}%)[^\s@]{1,500}(?=@)"), rb"\1<redacted>"),
    (
        re.compile(
            rb"((?:passw(?:or)?d|passphrase|secret|secret_key|private_key|auth_key|encryption_key|fernet_key|token)"
            rb"[\w.-]{0,40}[\"']?[ \t]{0,20}(?:=|:|,[ \t]?<<)[ \t]{0,20})" + _VALUE,
            re.IGNORECASE,
        ),
        rb"\1<redacted>",
    ),
    (
        re.compile(rb"(--?[\w-]{0,40}(?:password|passwd|secret|token)[ \t]{1,20})" + _VALUE, re.IGNORECASE),
        rb"\1<redacted>",
    ),
    (re.compile(rb"((?:incoming|outgoing)user[ \t]{1,20}\S{1,200}[ \t]{1,20})\S{1,500}"), rb"\1<redacted>"),
    (re.compile(rb"gAAAA[\w=-]{20,}"), b"<redacted>"),
    (
        re.compile(
            rb"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----).{0,20000}?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)", re.S
        ),
        rb"\1<redacted>",
    ),
)
_SUSPECT = re.compile(rb"://|pass|secret|token|_key|user[ \t]|gAAAA|PRIVATE KEY", re.IGNORECASE)


def redact(data: bytes) -> bytes:
    """``data`` without passwords, tokens, CHAP secrets, keys and the passwords in URLs; the rest of a line stays."""
    if _SUSPECT.search(data):
        for pattern, replacement in _SECRETS:
            data = pattern.sub(replacement, data)
    return data


def redacted_text(text: str) -> str:
    return redact(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")


# ---------------------------------------------------------------- frames


def write_frame(fd: int, header: Dict[str, Any], out: bytes = b"", err: bytes = b"") -> None:
    head = json.dumps(dict(header, out=len(out), err=len(err))).encode("ascii")
    payload = b"".join((head, b"\n", out, err))
    data = memoryview(b"SD1 %08x\n" % len(payload) + payload)
    while data:
        data = data[os.write(fd, data) :]


# ---------------------------------------------------------------- commands


class Ended(NamedTuple):
    """How a command ended; ``status`` as in the tool's model."""

    status: str
    exit: Optional[int]
    out: bytes
    err: bytes
    started: float
    seconds: float
    reason: str


class Child:
    """One running command, in a session of its own."""

    def __init__(self, argv, timeout, cap, on_end, sink=None, stdin=None, pass_fds=()):
        # type: (List[str], float, int, Callable[[Ended], None], Optional[Callable[[bytes], None]], Optional[int], Sequence[int]) -> None
        self.argv = argv
        self.cap = cap
        self.on_end = on_end
        self.sink = sink
        self.out = bytearray()
        self.err = bytearray()
        self.status = "ran"
        self.reason = ""
        self.started = time.time()
        self.began = time.monotonic()
        self.deadline = self.began + timeout
        self.timeout = timeout
        self.terminated = 0.0
        self.exited = 0.0
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=pass_fds,
            bufsize=0,
        )
        assert self.process.stdout is not None and self.process.stderr is not None
        self.streams = {self.process.stdout.fileno(): self.out, self.process.stderr.fileno(): self.err}

    def take(self, fd: int, data: bytes) -> None:
        kept = self.streams[fd]
        if kept is self.out and self.sink is not None:
            self.sink(data)
            return
        kept += data
        if len(kept) > self.cap:
            del kept[self.cap :]
            self.status, self.reason = "truncated", "output cut after %d bytes" % self.cap
            self.terminate()

    def terminate(self) -> None:
        if not self.terminated:
            self.terminated = time.monotonic()
            self.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:  # what sudo started is root's: only sudo may end it
            subprocess.call(
                ["sudo", "-n", "kill", "-%d" % number, "--", "-%d" % self.process.pid],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def next_event(self) -> float:
        if self.exited:
            return self.exited + GRACE
        return self.terminated + STUBBORN if self.terminated else self.deadline

    def tick(self, now: float) -> bool:
        """Act on what time has brought; whether it is over."""
        if not self.exited and self.process.poll() is not None:
            self.exited = now
        if self.exited:
            if self.streams and now >= self.exited + GRACE:
                self.signal(signal.SIGKILL)
                return True
            return not self.streams
        if self.terminated:
            if now >= self.terminated + STUBBORN:
                self.signal(signal.SIGKILL)
        elif now >= self.deadline:
            self.status, self.reason = "timed-out", "ended after %g s" % self.timeout
            self.terminate()
        return False

    def close(self) -> None:
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def ended(self) -> Ended:
        code = self.process.returncode
        return Ended(
            self.status,
            code if code is None or code >= 0 else 128 - code,
            bytes(self.out),
            bytes(self.err),
            self.started,
            time.monotonic() - self.began,
            self.reason,
        )


class Loop:
    """Runs children side by side, so many at a time, until the deadline or until nobody listens any more."""

    def __init__(self, parallel: int, seconds: float, stdin_fd: int) -> None:
        self.parallel = parallel
        self.deadline = time.monotonic() + seconds
        self.waiting = []  # type: List[Callable[[], Optional[Child]]]
        self.later = []  # type: List[Tuple[float, int, Callable[[], None]]]
        self.running = []  # type: List[Child]
        self.commands = 0
        self.selector = selectors.DefaultSelector()
        self.stdin_fd = stdin_fd
        self.selector.register(stdin_fd, selectors.EVENT_READ)
        self.wake, wake_write = os.pipe()
        for fd in (self.wake, wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self.selector.register(self.wake, selectors.EVENT_READ)

    def add(self, start: Callable[[], Optional[Child]]) -> None:
        """``start`` makes a child when its turn has come (None: it did its work at once)."""
        self.waiting.append(start)

    def at(self, when: float, act: Callable[[], None]) -> None:
        heapq.heappush(self.later, (when, len(self.later) + self.commands, act))

    def run(self) -> None:
        """Until all is done; raises Hangup when standard input closes."""
        while self.waiting or self.running or self.later:
            now = time.monotonic()
            if now >= self.deadline:
                self.give_up()
                return
            while self.later and self.later[0][0] <= now:
                heapq.heappop(self.later)[2]()
            while self.waiting and len(self.running) < self.parallel:
                child = self.waiting.pop(0)()
                if child is not None:
                    self.watch(child)
            self.wait()
            self.reap()

    def watch(self, child: Child) -> None:
        self.commands += 1
        self.running.append(child)
        for fd in child.streams:
            os.set_blocking(fd, False)
            self.selector.register(fd, selectors.EVENT_READ, child)

    def wait(self) -> None:
        if self.waiting and len(self.running) < self.parallel:
            return
        times = (
            [child.next_event() for child in self.running] + [when for when, _, _ in self.later[:1]] + [self.deadline]
        )
        for key, _ in self.selector.select(max(0.0, min(times) - time.monotonic())):
            if key.fd == self.stdin_fd:
                if not os.read(self.stdin_fd, 4096):
                    raise Hangup()
            elif key.fd == self.wake:
                os.read(self.wake, 4096)
            else:
                self.read(key.fd, key.data)

    def read(self, fd: int, child: Child) -> None:
        try:
            data = os.read(fd, PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            child.take(fd, data)
        else:
            self.selector.unregister(fd)
            del child.streams[fd]

    def reap(self) -> None:
        now = time.monotonic()
        for child in [c for c in self.running if c.tick(now)]:
            self.running.remove(child)
            self.forget(child)
            child.on_end(child.ended())

    def forget(self, child: Child) -> None:
        for fd in list(child.streams):
            self.selector.unregister(fd)
        child.close()

    def give_up(self) -> None:
        """The time is used up: end what runs, and say so of it."""
        self.waiting, self.later = [], []
        for child in self.running:
            child.status, child.reason = "timed-out", "the node's time was used up"
        self.kill()
        for child in self.running:
            self.forget(child)
            child.on_end(child.ended())
        self.running = []
        self.waiting = []

    def kill(self) -> None:
        for child in self.running:
            child.signal(signal.SIGKILL)
        for child in self.running:
            try:
                child.process.wait(1.0)
            except subprocess.TimeoutExpired:
                pass  # in uninterruptible sleep: it dies when it wakes


class Hangup(Exception):
    """Nobody listens any more."""


# ---------------------------------------------------------------- probes


class Asker:
    """Turns probes into commands and commands into result frames."""

    def __init__(self, loop: Loop, out_fd: int) -> None:
        self.loop = loop
        self.out_fd = out_fd
        self.unanswered = OrderedDict()  # type: Dict[str, int]
        self.lists = {}  # type: Dict[Tuple[str, ...], List[Callable[[Ended], None]]]
        self.listed = {}  # type: Dict[Tuple[str, ...], Ended]

    def ask(self, probe: Dict[str, Any]) -> None:
        self.unanswered[probe["id"]] = 1
        if probe["files"]:
            self.loop.add(lambda: self.read_files(probe))
        if probe["argv"]:
            self.locate(probe, probe["argv"][0], lambda prefix: self.expand(probe, prefix))

    def answer(self, probe, subject, command, ended):
        # type: (Dict[str, Any], str, str, Ended) -> None
        self.unanswered.pop(probe["id"], None)
        header = {
            "kind": "result",
            "probe": probe["id"],
            "subject": subject,
            "command": redacted_text(command),
            "status": ended.status,
            "exit": ended.exit,
            "started": ended.started,
            "seconds": round(ended.seconds, 4),
            "reason": redacted_text(ended.reason),
        }
        write_frame(self.out_fd, header, redact(ended.out), redact(ended.err[:PIECE]))

    def refuse(self, probe: Dict[str, Any], command: str, status: str, reason: str, subject: str = "") -> None:
        self.answer(probe, subject, command, Ended(status, None, b"", b"", time.time(), 0.0, reason))

    def locate(self, probe, program, then):
        # type: (Dict[str, Any], str, Callable[[List[str]], None]) -> None
        """Find out how ``program`` is run here: as it is, through sudo, or in a container; or say that it is not."""
        if shutil.which(program):
            self.privileged(probe, then)
            return
        runtime = next((r for r in ("docker", "podman") if shutil.which(r)), None) if probe["container"] else None
        if runtime is None:
            self.refuse(probe, shlex_join(probe["argv"]), "missing", "%s is not on this node" % program)
            return

        def found(prefix: List[str]) -> None:
            self.listing(prefix + [str(runtime), "ps", "--format", "{{.Names}}"], choose(prefix))

        def choose(prefix: List[str]) -> Callable[[Ended], None]:
            def chosen(listed: Ended) -> None:
                if listed.status != "ran" or listed.exit:
                    why = "%s ps: %s" % (runtime, listed.err.decode("utf-8", "replace").strip()[:300] or listed.reason)
                    self.refuse(probe, shlex_join(probe["argv"]), "denied", why)
                    return
                names = listed.out.decode("utf-8", "replace").split()
                name = next((n for n in names if re.search(probe["container"], n)), None)
                if name is None:
                    why = "%s is neither on this node nor in a container" % program
                    self.refuse(probe, shlex_join(probe["argv"]), "missing", why)
                    return
                then(prefix + [str(runtime), "exec", name])

            return chosen

        self.privileged(dict(probe, root=True), found)

    def privileged(self, probe: Dict[str, Any], then: Callable[[List[str]], None]) -> None:
        if os.getuid() == 0 or not probe["root"]:
            then([])
            return
        if not shutil.which("sudo"):
            self.refuse(probe, shlex_join(probe["argv"]), "denied", "it needs root, and there is no sudo")
            return

        def allowed(checked: Ended) -> None:
            if checked.status == "ran" and checked.exit == 0:
                then(["sudo", "-n", "--"])
            else:
                said = checked.err.decode("utf-8", "replace").strip()[:300] or checked.reason
                self.refuse(probe, shlex_join(probe["argv"]), "denied", "it needs root, and sudo says: " + said)

        self.listing(["sudo", "-n", "true"], allowed)

    def listing(self, argv: List[str], then: Callable[[Ended], None]) -> None:
        """Run ``argv`` once, however many ask for it."""
        key = tuple(argv)
        if key in self.listed:
            then(self.listed[key])
            return
        if key in self.lists:
            self.lists[key].append(then)
            return
        self.lists[key] = [then]

        def ended(result: Ended) -> None:
            self.listed[key] = result
            for each in self.lists.pop(key):
                each(result)

        self.loop.add(lambda: start(argv, 15.0, PIECE * 16, ended))

    def expand(self, probe: Dict[str, Any], prefix: List[str]) -> None:
        each = probe["each"]
        if each is None:
            self.run(probe, prefix, "", probe["argv"], probe["otherwise"])
            return

        def listed(result: Ended) -> None:
            if result.status != "ran" or result.exit:
                said = result.err.decode("utf-8", "replace").strip()[:300] or result.reason
                status = result.status if result.status != "ran" else "ran"
                if status == "ran":
                    self.answer(probe, "", shlex_join(prefix + each["argv"]), result)
                else:
                    self.refuse(probe, shlex_join(prefix + each["argv"]), status, said)
                return
            subjects = elements(result.out, each["pattern"], each["limit"])
            if not subjects:
                empty = Ended("ran", 0, b"", b"", result.started, result.seconds, "the list is empty")
                self.answer(probe, "", shlex_join(prefix + each["argv"]), empty)
            for subject in subjects:
                filled = [
                    [word.replace("{each}", subject) for word in argv] for argv in [probe["argv"]] + probe["otherwise"]
                ]
                self.run(probe, prefix, subject, filled[0], filled[1:])

        self.locate_list(probe, each["argv"], prefix, listed)

    def locate_list(self, probe, argv, prefix, then):
        # type: (Dict[str, Any], List[str], List[str], Callable[[Ended], None]) -> None
        if argv[0] != probe["argv"][0] and not prefix and not shutil.which(argv[0]):
            self.refuse(probe, shlex_join(argv), "missing", "%s is not on this node" % argv[0])
            return
        self.listing(prefix + argv, then)

    def run(self, probe, prefix, subject, argv, otherwise):
        # type: (Dict[str, Any], List[str], str, List[str], List[List[str]]) -> None
        again = probe["again_after"]

        def first() -> Optional[Child]:
            if again:
                self.loop.at(time.monotonic() + again, repeat)
            return self.attempt(probe, prefix, subject, [argv] + otherwise, None)

        def repeat() -> None:
            self.loop.add(lambda: self.attempt(probe, prefix, subject + "#2", [argv] + otherwise, None))

        self.loop.add(first)

    def attempt(self, probe, prefix, subject, forms, before):
        # type: (Dict[str, Any], List[str], str, List[List[str]], Optional[Tuple[str, Ended]]) -> Optional[Child]
        """Run the first of ``forms``; where it fails the next; where all fail the first one's answer counts."""
        argv = prefix + forms[0]
        command = shlex_join(argv)

        def ended(result: Ended) -> None:
            failed = result.status == "ran" and result.exit != 0
            kept = before or (command, result)
            if failed and len(forms) > 1:
                self.loop.add(lambda: self.attempt(probe, prefix, subject, forms[1:], kept))
                return
            chosen, answer = kept if failed else (command, result)
            if answer.status == "ran" and answer.exit == 126:
                answer = answer._replace(status="denied", reason="it may not be run")
            self.answer(probe, subject, chosen, answer)

        return start(argv, probe["timeout"], probe["cap"], ended)

    def read_files(self, probe: Dict[str, Any]) -> None:
        paths = []  # type: List[str]
        for pattern in probe["files"]:
            paths += sorted(glob.glob(pattern, recursive=True))
        if not paths:
            self.refuse(probe, " ".join(probe["files"]), "missing", "there is no such file")
        for path in list(OrderedDict.fromkeys(paths)):
            self.read_file(probe, path)

    def read_file(self, probe: Dict[str, Any], path: str) -> None:
        began = time.time()
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM) and probe["root"] and os.getuid():
                self.privileged(probe, lambda prefix: self.run(probe, prefix, path, ["cat", path], []))
            elif error.errno != errno.ENXIO:
                status = "denied" if error.errno in (errno.EACCES, errno.EPERM) else "missing"
                self.refuse(probe, path, status, os.strerror(error.errno or 0), path)
            return
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return
            try:
                content = file.read(probe["cap"] + 1)
            except OSError as error:
                self.refuse(probe, path, "denied", os.strerror(error.errno or 0), path)
                return
        status, reason = "ran", ""
        if len(content) > probe["cap"]:
            content, status, reason = content[: probe["cap"]], "truncated", "cut after %d bytes" % probe["cap"]
        self.answer(probe, path, path, Ended(status, 0, content, b"", began, time.time() - began, reason))


def start(argv, timeout, cap, on_end, sink=None, stdin=None, pass_fds=()):
    # type: (List[str], float, int, Callable[[Ended], None], Optional[Callable[[bytes], None]], Optional[int], Sequence[int]) -> Optional[Child]
    """A running child; where it cannot be started, ``on_end`` is told at once."""
    try:
        return Child(argv, timeout, cap, on_end, sink, stdin, pass_fds)
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", 0)
        status = "missing" if number == errno.ENOENT else "denied"
        on_end(Ended(status, None, b"", b"", time.time(), 0.0, "%s: %s" % (argv[0], getattr(error, "strerror", error))))
        return None


def shlex_join(argv: Iterable[str]) -> str:
    return " ".join(shlex.quote(word) for word in argv)


def elements(output: bytes, pattern: str, limit: int) -> List[str]:
    """Group 1 of ``pattern`` in each line, each once; what could be taken for an option is left out."""
    found = OrderedDict()  # type: Dict[str, None]
    compiled = re.compile(pattern)
    for line in output.decode("utf-8", "replace").splitlines():
        match = compiled.search(line[:4096])
        if match and match.group(1) and not match.group(1).startswith("-") and "\0" not in line:
            found[match.group(1)] = None
            if len(found) >= limit:
                break
    return list(found)


# ---------------------------------------------------------------- time stamps

MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_ISO = re.compile(rb"\[?(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))? ?(Z|[+-]\d\d:?\d\d(?![\d-]))?")
_ERLANG = re.compile(rb"=\w{1,20} REPORT={2,10} *(\d{1,2})-(\w{3})-(\d{4})::(\d\d):(\d\d):(\d\d)")
_SYSLOG = re.compile(rb"(\w{3}) ([ \d]\d) (\d\d):(\d\d):(\d\d) ")
_APACHE = re.compile(rb"\[\w{3} (\w{3}) (\d\d) (\d\d):(\d\d):(\d\d)(?:\.\d+)? (\d{4})\]")
_MYSQL = re.compile(rb"(\d\d)(\d\d)(\d\d) +(\d{1,2}):(\d\d):(\d\d) ")


class Stamps:
    """Reads the time at the start of a log line, as seconds since the epoch on this node's clock."""

    def __init__(self, newest: float) -> None:
        self.newest = newest  # the year of a stamp without one: none is later than the file
        self.seconds = {}  # type: Dict[bytes, Optional[float]]

    def read(self, line: bytes) -> Optional[Tuple[float, int]]:
        """The time and where the stamp ends; None for a line that starts with something else."""
        match = _ISO.match(line)
        if match:
            whole = self.cached(match.group(0)[: match.end(6)] + (match.group(8) or b""), lambda: self.iso(match))
            fraction = match.group(7)
            if whole is None:
                return None
            return whole + (int(fraction) / 10 ** len(fraction) if fraction else 0.0), match.end()
        for pattern, convert in (
            (_SYSLOG, self.syslog),
            (_ERLANG, self.erlang),
            (_APACHE, self.apache),
            (_MYSQL, self.mysql),
        ):
            match = pattern.match(line)
            if match:
                found = self.cached(match.group(0), lambda m=match, c=convert: c(m))  # type: ignore[misc]
                return None if found is None else (found, match.end())
        return None

    def cached(self, key: bytes, convert: Callable[[], Optional[float]]) -> Optional[float]:
        if key not in self.seconds:
            if len(self.seconds) > 5000:
                self.seconds.clear()
            try:
                self.seconds[key] = convert()
            except (ValueError, OverflowError, KeyError):
                self.seconds[key] = None
        return self.seconds[key]

    def iso(self, match: Any) -> float:
        fields = tuple(int(match.group(n)) for n in range(1, 7))
        zone = match.group(8)
        if zone is None:
            return local(*fields)
        east = 0
        if zone != b"Z":
            digits = zone[1:].replace(b":", b"")
            east = (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * (-1 if zone[:1] == b"-" else 1)
        return calendar.timegm(fields + (0, 0, 0)) - east

    def erlang(self, match: Any) -> float:
        day, month, year, hour, minute, second = match.groups()
        return local(int(year), MONTHS[month], int(day), int(hour), int(minute), int(second))

    def apache(self, match: Any) -> float:
        month, day, hour, minute, second, year = match.groups()
        return local(int(year), MONTHS[month], int(day), int(hour), int(minute), int(second))

    def mysql(self, match: Any) -> float:
        year, month, day, hour, minute, second = (int(group) for group in match.groups())
        return local(2000 + year, month, day, hour, minute, second)

    def syslog(self, match: Any) -> float:
        month, day, hour, minute, second = match.groups()
        year = time.localtime(self.newest).tm_year
        found = local(year, MONTHS[month], int(day), int(hour), int(minute), int(second))
        if found > self.newest + 86400:
            found = local(year - 1, MONTHS[month], int(day), int(hour), int(minute), int(second))
        return found


def local(year: int, month: int, day: int, hour: int, minute: int, second: int) -> float:
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61):
        raise ValueError("no time")
    return time.mktime((year, month, day, hour, minute, second, 0, 0, -1))


# ---------------------------------------------------------------- logs

LINE = 1 << 14
RECORD = 1 << 16
SAMPLE = 1 << 13
SMALL = 1 << 23
TOGETHER = 1 << 25
ALSO_LIMIT = 300
_KEY = re.compile(rb"\S{1,80}(?: +\S{1,80})?")
_VARIABLE = re.compile(rb"0x[0-9a-f]+|[0-9a-f]{8}[0-9a-f-]*|\d+")


class Signature:
    """One pattern of the plan, compiled."""

    def __init__(self, given: Dict[str, Any]) -> None:
        self.id = given["id"]
        self.services = given["services"]
        self.grep = given["grep"]
        self.regex = re.compile(given["regex"].encode("utf-8"))
        self.by = [name for name in given["by"] if name in self.regex.groupindex]
        self.also = [(re.compile(also["regex"].encode("utf-8")), also["keys"]) for also in given["also"]]


class Hits:
    """What one signature found in one file under one set of keys."""

    def __init__(self, keys: Dict[str, str], at: float) -> None:
        self.keys = keys
        self.count = 0
        self.first = self.last = at
        self.minutes = {}  # type: Dict[int, int]
        self.samples = []  # type: List[Tuple[float, int]]

    def add(self, at: float, offset: int, samples: int) -> None:
        self.count += 1
        self.first, self.last = min(self.first, at), max(self.last, at)
        self.minutes[int(at // 60)] = self.minutes.get(int(at // 60), 0) + 1
        if len(self.samples) < samples:
            self.samples.append((at, offset))
        else:
            self.samples[-1] = (at, offset)


class LogFile:
    """One file: its window, and what is found in it."""

    def __init__(self, path: str, service: str, form: str, signatures: List[Signature], limits: Dict[str, Any]) -> None:
        self.path, self.service, self.form = path, service, form
        self.signatures = [s for s in signatures if any(fnmatch.fnmatchcase(service, glob_) for glob_ in s.services)]
        self.limits = limits
        self.status = "out-of-window"
        self.start = self.size = 0
        self.stamps = Stamps(time.time())
        self.first = self.last = None  # type: Optional[float]
        self.found = OrderedDict()  # type: Dict[Tuple[str, Tuple[Tuple[str, str], ...]], Hits]
        self.seen = {}  # type: Dict[str, bytes]
        self.shapes = {}  # type: Dict[bytes, List[Signature]]
        self.also_used = {}  # type: Dict[str, int]
        self.at = 0.0
        self.file = None  # type: Any

    def open(self, since: float) -> bool:
        """Find the window; whether there is anything in it."""
        try:
            known = os.stat(self.path)
            if not stat.S_ISREG(known.st_mode) or known.st_mtime < since or not known.st_size:
                return False
            self.stamps = Stamps(known.st_mtime)
            if self.path.endswith(".gz"):
                with gzip.open(self.path, "rb") as packed:
                    content = packed.read(TOGETHER)
                self.file = MemoryFile(content)
                self.size = len(content)
            else:
                self.file = open(self.path, "rb", buffering=0)  # noqa: SIM115
                self.size = known.st_size
            self.start = self.window_start(since)
        except (OSError, EOFError) as error:
            denied = isinstance(error, PermissionError)
            self.status = "denied" if denied else "unreadable: %s" % (getattr(error, "strerror", None) or error)
            return False
        self.status = "read"
        return self.start < self.size

    def read_at(self, offset: int, length: int) -> bytes:
        self.file.seek(offset)
        data = self.file.read(length)
        return bytes(data) if data else b""

    def window_start(self, since: float) -> int:
        """Where the first line of the window begins: a binary search, for the stamps only grow."""
        low, high = 0, self.size
        while high - low > LINE:
            middle = (low + high) // 2
            found = self.stamp_after(middle, high)
            if found is None or found >= since:
                high = middle
            else:
                low = middle
        return self.first_line(low, since)

    def stamp_after(self, offset: int, high: int) -> Optional[float]:
        while offset < high:
            block = self.read_at(offset, RECORD)
            lines = block.split(b"\n")
            for line in lines[1:]:
                stamp = self.stamps.read(line)
                if stamp:
                    return stamp[0]
            if len(block) < RECORD:
                return None
            offset += max(1, len(block) - len(lines[-1]) - 1)
        return None

    def first_line(self, offset: int, since: float) -> int:
        if offset:
            offset = max(0, offset - 1)
            offset += self.read_at(offset, RECORD).find(b"\n") + 1
        while offset < self.size:
            block = self.read_at(offset, RECORD * 4)
            if not block:
                break
            at = 0
            for line in block.split(b"\n"):
                stamp = self.stamps.read(line)
                if stamp and stamp[0] >= since:
                    self.first = stamp[0]
                    return offset + at
                at += len(line) + 1
            offset += len(block)
        return self.size

    def hit(self, offset: int, line: bytes) -> None:
        """One line that grep let through."""
        line = line[:LINE]
        stamp = self.stamps.read(line)
        if stamp:
            self.at = stamp[0]
            key = _KEY.match(line, stamp[1] + 1)
            record = line[: key.end()] if key else line[: stamp[1]]
        else:
            self.at = self.stamp_before(offset) or self.at or self.first or 0.0
            record = b"@%d" % int(self.at)
        shape = _VARIABLE.sub(b"0", line[stamp[1] if stamp else 0 :][:1000])
        known = self.shapes.get(shape)
        if known is None:
            known = [s for s in self.signatures if s.regex.search(line)]
            if len(self.shapes) < 10000:
                self.shapes[shape] = known
        for signature in known:
            match = signature.regex.search(line)
            if match and self.seen.get(signature.id) != record:
                self.seen[signature.id] = record
                self.count(signature, match, offset)

    def stamp_before(self, offset: int) -> Optional[float]:
        """The time of the record that a line without a stamp belongs to."""
        begin = max(0, offset - RECORD)
        for line in reversed(self.read_at(begin, offset - begin).split(b"\n")):
            stamp = self.stamps.read(line)
            if stamp:
                return stamp[0]
        return None

    def count(self, signature: Signature, match: Any, offset: int) -> None:
        keys = {name: text(match.group(name)) for name in signature.by if match.group(name)}
        if signature.also and self.also_used.get(signature.id, 0) < ALSO_LIMIT:
            self.also_used[signature.id] = self.also_used.get(signature.id, 0) + 1
            keys.update(self.also_keys(signature, offset))
        identity = (signature.id, tuple(sorted(keys.items())))
        if identity not in self.found:
            if sum(1 for id_, _ in self.found if id_ == signature.id) >= self.limits["keys_limit"]:
                keys, identity = {}, (signature.id, ())
            self.found.setdefault(identity, Hits(keys, self.at))
        self.found[identity].add(self.at, offset, self.limits["samples"])
        self.last = max(self.last or 0.0, self.at)

    def also_keys(self, signature: Signature, offset: int) -> Dict[str, str]:
        record = self.record(offset)[1]
        for regex, keys in signature.also:
            match = regex.search(record)
            if match:
                groups = {name: text(value or b"") for name, value in match.groupdict().items()}
                filled = {
                    key: re.sub(r"\{(\w+)\}", lambda m: groups.get(m.group(1), ""), value)
                    for key, value in keys.items()
                }
                return {key: value for key, value in filled.items() if value}
        return {}

    def record(self, offset: int) -> Tuple[int, bytes]:
        """The whole record around a line: lines of the same stamp and process, and those without a stamp after them."""
        begin = max(0, offset - RECORD)
        before = self.read_at(begin, offset - begin)
        after = self.read_at(offset, RECORD)
        lines = after.split(b"\n")
        head = self.head_of(lines[0])
        kept = [lines[0]]
        for line in lines[1:]:
            mine = self.head_of(line)
            if mine is not None and mine != head:
                break
            kept.append(line)
        first = offset
        for line in reversed(before.split(b"\n")[:-1]):
            mine = self.head_of(line)
            if mine != head and (mine is not None and head is not None):
                break
            if first - len(line) - 1 < begin:
                break
            first -= len(line) + 1
            kept.insert(0, line)
            if mine is not None and head is None:
                break
        return first, b"\n".join(line[:LINE] for line in kept).rstrip()

    def head_of(self, line: bytes) -> Optional[bytes]:
        stamp = self.stamps.read(line)
        if not stamp:
            return None
        key = re.compile(rb" *\S{1,80}").match(line, stamp[1])
        return line[: key.end()] if key else line[: stamp[1]]

    def sample(self, at: float, offset: int) -> Dict[str, Any]:
        first, record = self.record(offset)
        if len(record) > SAMPLE:
            record = record[: SAMPLE // 4] + b"\n[...]\n" + record[-SAMPLE * 3 // 4 :]
        return {"time": at, "line": self.line_number(first), "offset": first, "text": text(redact(record))}

    def line_number(self, offset: int) -> Optional[int]:
        """The number of the line at ``offset``; None where counting would mean to read much."""
        if offset > SMALL:
            return None
        return self.read_at(0, offset).count(b"\n") + 1

    def hits(self) -> Iterator[Dict[str, Any]]:
        for (id_, _), found in self.found.items():
            yield {
                "signature": id_,
                "service": self.service,
                "path": self.path,
                "keys": found.keys,
                "count": found.count,
                "first": found.first,
                "last": found.last,
                "minutes": {str(minute): n for minute, n in sorted(found.minutes.items())},
                "samples": [self.sample(at, offset) for at, offset in found.samples],
            }

    def described(self) -> Dict[str, Any]:
        return {
            "path": self.path,
            "service": self.service,
            "format": self.form,
            "bytes": self.size - self.start if self.status == "read" else 0,
            "status": self.status,
            "first": self.first,
            "last": self.last,
        }


class MemoryFile:
    """Bytes in memory with the two calls of a file that a log needs."""

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def seek(self, offset: int) -> None:
        self.place = offset

    def read(self, length: int) -> bytes:
        return self.content[self.place : self.place + length]


def text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


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
        self.files = []  # type: List[LogFile]
        self.pending = 0
        self.gnu = False

    def begin(self) -> None:
        def identified(version: Ended) -> None:
            self.gnu = b"GNU grep" in version.out
            self.loop.add(self.look)

        self.loop.add(lambda: start(["grep", "--version"], 5.0, PIECE, identified))

    def look(self) -> None:
        together = []  # type: List[LogFile]
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
        seen = set()
        for source in self.plan["sources"]:
            for pattern in source["files"]:
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
            fcntl.fcntl(write, 1031, 1 << 20)  # F_SETPIPE_SZ, fcntl(2)
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


# ---------------------------------------------------------------- the conversation


def hello(plan: Dict[str, Any]) -> Dict[str, Any]:
    now = time.time()
    here = time.localtime(now)
    return {
        "kind": "hello",
        "version": 1,
        "hostname": os.uname().nodename,
        "now": now,
        "utc_offset": here.tm_gmtoff,
        "zone": here.tm_zone,
        "python": "%d.%d.%d" % sys.version_info[:3],
        "uid": os.getuid(),
    }


def main(plan: Dict[str, Any], stdin_fd: int = 0, stdout_fd: int = 1) -> int:
    """Carry out ``plan``; the exit status is 0 when all was answered, 1 when nobody listened any more."""
    began = time.monotonic()
    os.umask(0o077)
    os.environ["PATH"] = os.environ.get("PATH", "") + ":" + PATH
    os.environ["LC_ALL"] = "C.UTF-8" if sys.version_info >= (3, 7) else "C"
    for name in ("LANGUAGE", "BASH_ENV", "ENV", "PYTHONPATH", "GREP_OPTIONS", "POSIXLY_CORRECT"):
        os.environ.pop(name, None)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, hang_up)
    loop = Loop(plan["parallel"], plan["seconds"], stdin_fd)
    asker = Asker(loop, stdout_fd)
    try:
        write_frame(stdout_fd, hello(plan))
        os.nice(19)
        # what reads files blocks when a file system hangs: commands, which cannot block us, go first
        for probe in sorted(plan["probes"], key=lambda p: bool(p["files"])):
            asker.ask(probe)
        if plan["logs"] is not None:
            probe = {"id": "logs.hits"}
            asker.unanswered["logs.hits"] = 1
            LogScan(
                plan["logs"], loop, lambda ended: asker.answer(probe, "", "grep -E -a -b -f SIGNATURES LOGS", ended)
            ).begin()
        loop.run()
        usage = os.times()
        done = {
            "kind": "done",
            "seconds": time.monotonic() - began,
            "cpu": sum(usage[:4]),
            "commands": loop.commands,
            "left_out": list(asker.unanswered),
        }
        write_frame(stdout_fd, done)
        return 0
    except (Hangup, BrokenPipeError, ConnectionError):
        return 1
    finally:
        loop.kill()


def hang_up(number: int, frame: Any) -> None:
    raise Hangup()


if __name__ == "__agent__":
    received = sys.stdin.buffer.read(int(sys.stdin.buffer.readline()))
    status = main(json.loads(received.decode("utf-8")))
    sys.stdout.flush()
    os._exit(status)
