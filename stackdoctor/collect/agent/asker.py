"""From probes to commands, and from commands to result frames."""

import errno
import glob
import os
import re
import shutil
import stat
import time
from collections import OrderedDict
from typing import Any, Callable, Dict, List, Optional, Tuple

from stackdoctor.collect.agent.commands import PIECE, Child, Ended, shlex_join, start
from stackdoctor.collect.agent.loop import Loop
from stackdoctor.collect.agent.secrets import redact, redacted_text
from stackdoctor.collect.agent.wire import write_frame


class Asker:
    """Turns probes into commands and commands into result frames."""

    def __init__(self, loop: Loop, out_fd: int) -> None:
        self.loop = loop
        self.out_fd = out_fd
        self.unanswered: Dict[str, int] = OrderedDict()
        self.lists: Dict[Tuple[str, ...], List[Callable[[Ended], None]]] = {}
        self.listed: Dict[Tuple[str, ...], Ended] = {}
        self.waiting: Dict[str, List[Dict[str, Any]]] = {}

    def ask_all(self, probes: List[Dict[str, Any]]) -> None:
        """Ask those that wait for nobody; the others follow the answer that they wait for."""
        ids = {probe["id"] for probe in probes}
        # what reads files blocks when a file system hangs: commands, which cannot block us, go first
        for probe in sorted(probes, key=lambda p: bool(p["files"])):
            self.unanswered[probe["id"]] = 1
            if probe["after"] in ids:
                self.waiting.setdefault(probe["after"], []).append(probe)
            else:
                self.ask(probe)

    def ask(self, probe: Dict[str, Any]) -> None:
        if probe["files"]:
            self.loop.add(lambda: self.read_files(probe))
        if probe["argv"]:
            self.locate(probe, probe["argv"][0], lambda prefix: self.expand(probe, prefix))

    def answer(self, probe: Dict[str, Any], subject: str, command: str, ended: Ended) -> None:
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
        for follower in self.waiting.pop(probe["id"], []):
            if ended.status == "ran" and ended.exit == 0:
                self.ask(follower)
            else:
                self.refuse(follower, shlex_join(follower["argv"]), "not-run", "%s did not succeed" % probe["id"])

    def refuse(self, probe: Dict[str, Any], command: str, status: str, reason: str, subject: str = "") -> None:
        self.answer(probe, subject, command, Ended(status, None, b"", b"", time.time(), 0.0, reason))

    def locate(self, probe: Dict[str, Any], program: str, then: Callable[[List[str]], None]) -> None:
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
                    said = listed.err.decode("utf-8", "replace").strip()[:300] or listed.reason
                    # a client without its daemon: there are no containers here
                    status = "missing" if "Cannot connect to" in said else "denied"
                    self.refuse(probe, shlex_join(probe["argv"]), status, "%s ps: %s" % (runtime, said))
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

    def locate_list(
        self, probe: Dict[str, Any], argv: List[str], prefix: List[str], then: Callable[[Ended], None]
    ) -> None:
        if argv[0] != probe["argv"][0] and not prefix and not shutil.which(argv[0]):
            self.refuse(probe, shlex_join(argv), "missing", "%s is not on this node" % argv[0])
            return
        self.listing(prefix + environment(probe) + argv, then)

    def run(
        self, probe: Dict[str, Any], prefix: List[str], subject: str, argv: List[str], otherwise: List[List[str]]
    ) -> None:
        again = probe["again_after"]

        def first() -> Optional[Child]:
            if again:
                self.loop.at(time.monotonic() + again, repeat)
            return self.attempt(probe, prefix, subject, [argv] + otherwise, None)

        def repeat() -> None:
            self.loop.add(lambda: self.attempt(probe, prefix, subject + "#2", [argv] + otherwise, None))

        self.loop.add(first)

    def attempt(
        self,
        probe: Dict[str, Any],
        prefix: List[str],
        subject: str,
        forms: List[List[str]],
        before: Optional[Tuple[str, Ended]],
    ) -> Optional[Child]:
        """Run the first of ``forms``; where it fails the next; where all fail the first one's answer counts."""
        argv = prefix + environment(probe) + forms[0]
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
        paths: List[str] = []
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
                content = read_up_to(file, probe["cap"] + 1)
            except OSError as error:
                self.refuse(probe, path, "denied", os.strerror(error.errno or 0), path)
                return
        status, reason = "ran", ""
        if len(content) > probe["cap"]:
            content, status, reason = content[: probe["cap"]], "truncated", "cut after %d bytes" % probe["cap"]
        self.answer(probe, path, path, Ended(status, 0, content, b"", began, time.time() - began, reason))


def environment(probe: Dict[str, Any]) -> List[str]:
    """The words that set a probe's variables, wherever its command runs: through sudo, or in a container."""
    return ["env"] + ["%s=%s" % (name, value) for name, value in probe["env"]] if probe["env"] else []


def read_up_to(file: Any, limit: int) -> bytes:
    """Piece by piece: the kernel makes room for all that is asked of a file in /proc/sys."""
    pieces: List[bytes] = []
    while limit > 0:
        piece = file.read(min(limit, PIECE))
        if not piece:
            break
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def elements(output: bytes, pattern: str, limit: int) -> List[str]:
    """Group 1 of ``pattern`` in each line, each once; what could be taken for an option is left out."""
    found: Dict[str, None] = OrderedDict()
    compiled = re.compile(pattern)
    for line in output.decode("utf-8", "replace").splitlines():
        match = compiled.search(line[:4096])
        if match and match.group(1) and not match.group(1).startswith("-") and "\0" not in line:
            found[match.group(1)] = None
            if len(found) >= limit:
                break
    return list(found)
