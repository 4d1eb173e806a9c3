"""Row 6: what forty probes cost the node itself, against the same commands in one sh script there."""

from __future__ import annotations

from measure import PATH, Taken, environment, interleaved, run, series
from outcome import Reach, figure, keep
from probes import Questions, questions

from stackdoctor.collect.frames import bootstrap, opening

__all__ = ["main"]


def main() -> None:
    """Measure processor time, and the wall time beside it."""
    asked = questions()
    taken = interleaved({"ours": lambda: _agent(asked), "theirs": lambda: _script(asked)}, runs=21)
    ours, theirs = taken["ours"], taken["theirs"]
    what = f"{len(asked.plan.probes)} probes on the node"
    cpu = [series([t.cpu for t in side]) for side in (ours, theirs)]
    wall = [series([t.wall for t in side]) for side in (ours, theirs)]
    keep(
        "node",
        [
            figure(f"{what}, processor time", "one sh script", Reach(1.1), *cpu),
            figure(f"{what}, wall time", "one sh script", Reach(1.1), *wall),
        ],
        ("/usr/bin/python3 --version",),
    )


def _agent(asked: Questions) -> Taken:
    """The node's part of a look: the command that sshd starts, until its channel closes."""
    return run(["sh", "-c", bootstrap()], env=environment(PATH=PATH), stdin=opening(asked.plan), held=True)


def _script(asked: Questions) -> Taken:
    return run(["sh"], env=environment(PATH=PATH), stdin=asked.script.encode(), allowed=range(256))


if __name__ == "__main__":
    main()
