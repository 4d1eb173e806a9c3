"""What to look at next: commands of this tool with their arguments filled in, as they can be copied."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from stackdoctor.cli.look import Looking
from stackdoctor.diagnose.symptom import Next, Symptom

__all__ = ["Step", "next_steps", "where_to_look"]

_PLACE = re.compile(r"\{(\w+)\}")
OWN = "stackdoctor"


@dataclass(frozen=True)
class Step:
    """A command and what it shows; ``whole`` is False where a word in capitals stands for what is not known."""

    command: str
    why: str
    whole: bool


def where_to_look(sources: Sequence[object], looking: Looking) -> tuple[str, ...]:
    """The options that name the same cloud to another command; none for this host."""
    if sources:
        return tuple(word for source in sources for word in ("--from", str(source)))
    ways = {
        "-i": looking.inventory,
        "-n": looking.nodes,
        "--login": looking.login,
        "--ssh-config": looking.ssh_config,
        "--known-hosts": looking.known_hosts,
    }
    named = tuple(word for option, value in ways.items() if value for word in (option, str(value)))
    if looking.from_cloud:
        named += ("--from-cloud", *(("--os-cloud", looking.os_cloud) if looking.os_cloud else ()))
    return () if looking.alone else (*named, *(word for glob in looking.only for word in ("--only", glob)))


def next_steps(
    symptoms: Iterable[Symptom], values: Mapping[str, str], cloud: tuple[str, ...], *, live: bool
) -> tuple[Step, ...]:
    """The steps of ``symptoms``, those that need the cloud itself only where it is ``live``; each once."""
    steps = {
        step.command: step for symptom in symptoms for each in symptom.next for step in _step(each, values, cloud, live)
    }
    return tuple(sorted(steps.values(), key=lambda step: not step.whole))


def _step(each: Next, values: Mapping[str, str], cloud: tuple[str, ...], live: bool) -> Iterator[Step]:
    if each.live and not live:
        return
    words = shlex.split(each.do)
    filled = [_PLACE.sub(lambda m: values.get(m[1]) or m[1].upper(), word) for word in words]
    known = all(values.get(m[1]) for m in _PLACE.finditer(each.do))
    yield Step(shlex.join([*filled, *(cloud if words[0] == OWN else ())]), each.why, known)
