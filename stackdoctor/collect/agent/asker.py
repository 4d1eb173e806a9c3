"""From probes to commands, and from commands to result frames."""

import errno
import os
import time
from collections import OrderedDict
from typing import Any, Callable, Dict, List, Optional, Tuple

from stackdoctor.collect.agent.aside import Found, Reader, Reading
from stackdoctor.collect.agent.commands import PIECE, Child, Ended, shlex_join, start, which
from stackdoctor.collect.agent.globs import special
from stackdoctor.collect.agent.loop import Loop
from stackdoctor.collect.agent.reading import without_comments
from stackdoctor.collect.agent.secrets import redact, redacted_text
from stackdoctor.collect.agent.wire import Post

NO_DAEMON = ("Cannot connect to", "failed to connect to")  # a client without its daemon: no containers
MOST_TOLD = 1000
"""Elements of a list beyond those that are asked about, each told as not asked."""
UNAVAILABLE = 69  # sysexits.h: what was asked for does not run; another form of the question helps nothing


class Asker:
    """Turns probes into commands and commands into result frames."""

    def __init__(self, loop: Loop, post: Post, sparing: str = "") -> None:
        self.loop = loop
        self.reader = Reader(loop)
        self.post = post
        self.sparing = sparing  # why the node is to be spared
        self.spared: List[str] = []
        self.unanswered: Dict[str, None] = OrderedDict()
        self.due: Dict[Tuple[str, str], Tuple[Dict[str, Any], str]] = OrderedDict()
        self.lists: Dict[Tuple[str, ...], List[Callable[[Ended], None]]] = {}
        self.listed: Dict[Tuple[str, ...], Ended] = {}
        self.waiting: Dict[str, List[Dict[str, Any]]] = {}

    def ask_all(self, probes: List[Dict[str, Any]]) -> None:
        """Ask those that wait for nobody; the others follow the answer that they wait for."""
        ids = {probe["id"] for probe in probes}
        for probe in probes:
            self.unanswered[probe["id"]] = None
            if probe["after"] in ids:  # all of them before the first answer, which may come at once
                self.waiting.setdefault(probe["after"], []).append(probe)
        for probe in probes:
            if probe["after"] not in ids:
                self.ask(probe)

    def ask(self, probe: Dict[str, Any]) -> None:
        if self.sparing and probe.get("costly"):
            why = "left out to spare the node: %s" % self.sparing
            self.refuse(probe, shlex_join(probe["argv"]) or " ".join(probe["files"]), "not-run", why)
            self.spared.append(probe["id"])
            return
        if probe["files"]:
            self.read_files(probe)
        if probe["argv"]:
            found = runnable(probe)
            self.locate(found, found["argv"][0], lambda prefix: self.expand(found, prefix))

    def leave(self) -> None:
        """Say of each command that did not have its turn that it was not run, where its probe has other answers."""
        for (id_, subject), (probe, command) in list(self.due.items()):
            if id_ not in self.unanswered:
                self.refuse(probe, command, "not-run", self.loop.used_up, subject)

    def answer(self, probe: Dict[str, Any], subject: str, command: str, ended: Ended) -> None:
        """Send what came of one command, without secrets."""
        out = without_comments(ended.out) if probe.get("settings") else ended.out
        if probe.get("head") and ended.status == "truncated":
            ended = ended._replace(status="ran", reason="")
        self.send(probe, subject, command, ended._replace(out=redact(out), err=redact(ended.err[:PIECE])))

    def send(self, probe: Dict[str, Any], subject: str, command: str, ended: Ended) -> None:
        self.unanswered.pop(probe["id"], None)
        self.due.pop((probe["id"], subject), None)
        header = {
            "kind": "result",
            "probe": probe["id"],
            "subject": redacted_text(subject),
            "command": redacted_text(command),
            "status": ended.status,
            "exit": ended.exit,
            "started": ended.started,
            "seconds": round(ended.seconds, 4),
            "reason": redacted_text(ended.reason),
        }
        self.loop.sent += self.post.put(header, ended.out, ended.err)
        for follower in self.waiting.pop(probe["id"], []):
            if ended.status == "ran" and ended.exit == 0:
                self.ask(follower)
            else:
                self.refuse(follower, shlex_join(follower["argv"]), "not-run", "%s did not succeed" % probe["id"])

    def refuse(self, probe: Dict[str, Any], command: str, status: str, reason: str, subject: str = "") -> None:
        self.answer(probe, subject, command, Ended(status, None, b"", b"", time.time(), 0.0, reason))

    def locate(self, probe: Dict[str, Any], program: str, then: Callable[[List[str]], None]) -> None:
        """Find out how ``program`` is run here: as it is, through sudo, or in a container; or say that it is not."""
        if which(program):
            self.privileged(probe, then)
            return
        runtime = next((r for r in ("docker", "podman") if which(r)), None) if probe["container"] else None
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
                    status = "missing" if any(words in said for words in NO_DAEMON) else "denied"
                    self.refuse(probe, shlex_join(probe["argv"]), status, "%s ps: %s" % (runtime, said))
                    return
                import re

                names = listed.out.decode("utf-8", "replace").split()
                name = min((n for n in names if re.search(probe["container"], n)), key=len, default=None)
                if name is None:
                    why = "%s is neither on this node nor in a container" % program
                    self.refuse(probe, shlex_join(probe["argv"]), "missing", why)
                    return
                then(prefix + [str(runtime), "exec", name])

            return chosen

        self.privileged(dict(probe, root=True), found)

    def privileged(self, probe: Dict[str, Any], then: Callable[[List[str]], None], subject: str = "") -> None:
        """Go on with what makes a command root's, where its probe needs root; or say that we may not."""
        if os.getuid() == 0 or not probe["root"]:
            then([])
            return
        if not which("sudo"):
            self.refuse(probe, shlex_join(probe["argv"]), "denied", "it needs root, and there is no sudo", subject)
            return

        def allowed(checked: Ended) -> None:
            if checked.status == "ran" and checked.exit == 0:
                then(["sudo", "-n", "--"])
            else:
                said = checked.err.decode("utf-8", "replace").strip()[:300] or checked.reason
                why = "it needs root, and sudo says: " + said
                self.refuse(probe, shlex_join(probe["argv"]), "denied", why, subject)

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
            limit = each["limit"]
            subjects = elements(result.out, each["pattern"], limit + MOST_TOLD)
            if not subjects:
                empty = Ended("ran", 0, b"", b"", result.started, result.seconds, "the list is empty")
                self.answer(probe, "", shlex_join(prefix + each["argv"]), empty)
            for subject in subjects[limit:]:
                command = shlex_join([word.replace("{each}", subject) for word in probe["argv"]])
                self.refuse(probe, command, "not-run", "only the first %d are asked about" % limit, subject)
            for subject in subjects[:limit]:
                filled = [
                    [word.replace("{each}", subject) for word in argv] for argv in [probe["argv"]] + probe["otherwise"]
                ]
                self.run(probe, prefix, subject, filled[0], filled[1:])

        self.locate_list(probe, each["argv"], prefix, listed)

    def locate_list(
        self, probe: Dict[str, Any], argv: List[str], prefix: List[str], then: Callable[[Ended], None]
    ) -> None:
        if argv[0] != probe["argv"][0] and not prefix and not which(argv[0]):
            self.refuse(probe, shlex_join(argv), "missing", "%s is not on this node" % argv[0])
            return
        self.listing(prefix + environment(probe) + argv, then)

    def run(
        self, probe: Dict[str, Any], prefix: List[str], subject: str, argv: List[str], otherwise: List[List[str]]
    ) -> None:
        again = probe["again_after"]
        self.due[probe["id"], subject] = probe, shlex_join(prefix + argv)
        if again:
            self.due[probe["id"], subject + "#2"] = self.due[probe["id"], subject]

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
            failed = result.exit not in (0, UNAVAILABLE) if result.status == "ran" else result.status == "missing"
            kept = before or (command, result)
            if failed and len(forms) > 1:
                self.loop.add(lambda: self.attempt(probe, prefix, subject, forms[1:], kept))
                return
            chosen, answer = kept if failed else (command, result)
            if answer.status == "ran" and answer.exit in (126, 127) and argv is not forms[0]:
                absent = answer.exit == 127 or b"not found" in answer.err
                why = "it is not there" if absent else "it may not be run"
                answer = answer._replace(status="missing" if absent else "denied", reason=why)
            self.answer(probe, subject, chosen, answer)

        return start(argv, probe["timeout"], probe["cap"], ended)

    def read_files(self, probe: Dict[str, Any]) -> None:
        """Answer with each regular file; with one refusal where there is none."""
        told: List[str] = []

        def take(found: Found) -> None:
            if self.file(probe, found):
                told.append(found.path)

        def end(at: str, failure: str) -> None:
            if failure:
                self.refuse(probe, at or " ".join(probe["files"]), "timed-out" if at else "not-run", failure, at)
            elif not told:
                self.refuse(probe, " ".join(probe["files"]), "missing", "there is no such file")

        self.reader.add(Reading(probe["files"], probe["cap"] + 1, probe["timeout"], take, end))

    def file(self, probe: Dict[str, Any], found: Found) -> bool:
        """Answer with one file, as root where it needs root; False where there is no such file to read."""
        path, error, content = found.path, found.error, found.content
        if error is not None:
            if error.errno == errno.ENOENT:
                return False
            if error.errno in (errno.EACCES, errno.EPERM) and probe["root"] and os.getuid() and not special(path):
                self.privileged(dict(probe, argv=["cat", path]), lambda prefix: self.cat(probe, prefix, path), path)
            else:
                self.refuse(probe, path, "denied", os.strerror(error.errno or 0), path)
            return True
        if content is None:
            return False
        status, reason = "ran", ""
        if len(content) > probe["cap"]:
            content, status, reason = content[: probe["cap"]], "truncated", "cut after %d bytes" % probe["cap"]
        self.answer(probe, path, path, Ended(status, 0, content, b"", found.began, found.seconds, reason))
        return True

    def cat(self, probe: Dict[str, Any], prefix: List[str], path: str) -> None:
        argv = prefix + ["cat", path]
        command = shlex_join(argv)
        self.due[probe["id"], path] = probe, command

        def ended(result: Ended) -> None:
            if result.status == "ran" and result.exit and b"No such file" in result.err:
                result = result._replace(status="missing", reason="there is no such file")
            self.answer(probe, path, command, result)

        self.loop.add(lambda: start(argv, probe["timeout"], probe["cap"], ended))


def runnable(probe: Dict[str, Any]) -> Dict[str, Any]:
    """``probe`` without the forms whose program is not here, if there is one left then."""
    forms = [form for form in [probe["argv"]] + probe["otherwise"] if which(form[0])]
    return dict(probe, argv=forms[0], otherwise=forms[1:]) if forms else probe


def environment(probe: Dict[str, Any]) -> List[str]:
    """The words that set a probe's variables, wherever its command runs: through sudo, or in a container."""
    return ["env"] + ["%s=%s" % (name, value) for name, value in probe["env"]] if probe["env"] else []


def elements(output: bytes, pattern: str, limit: int) -> List[str]:
    """Group 1 of ``pattern`` in each line, each once; what could be taken for an option is left out."""
    found: Dict[str, None] = OrderedDict()
    if not output:
        return []
    import re

    compiled = re.compile(pattern)
    for line in output.decode("utf-8", "replace").splitlines():
        match = compiled.search(line[:4096])
        if match and match.group(1) and not match.group(1).startswith("-") and "\0" not in line:
            found[match.group(1)] = None
            if len(found) >= limit:
                break
    return list(found)
