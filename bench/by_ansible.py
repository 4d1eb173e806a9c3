"""Row 3: the same questions by ansible: one raw script a host, and (with ``tasks``) a playbook of forty raw tasks.

``python bench/by_ansible.py 50 [tasks]``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cloud import FORKS, look
from fleet import Fleet, fleet
from measure import Taken, environment, interleaved, run, series
from outcome import Outcome, Reach, figure, keep
from probes import Questions, questions

__all__ = ["main"]

BIN = Path(sys.executable).parent
QUICKER = Reach(2.0, at_least=True)
CHEAPER = Reach(6.0, at_least=True)
THAN_TASKS = Reach(8.0, at_least=True)


def main() -> None:
    """Measure the size of the command line."""
    asked = questions()
    size = int(next(iter(sys.argv[1:]), "50"))
    with fleet(size) as cloud, tempfile.TemporaryDirectory() as folder:
        outcomes = _outcomes(cloud, asked, Path(folder), "tasks" in sys.argv[2:])
        keep(f"ansible-{size}", outcomes, (f"{BIN}/ansible --version", "ssh -V"))


def _outcomes(cloud: Fleet, asked: Questions, folder: Path, tasks: bool) -> Iterator[Outcome]:
    what = f"{len(cloud.hosts)} hosts, {len(asked.plan.probes)} probes each"
    if not (BIN / "ansible").exists():
        yield Outcome(what, "ansible", QUICKER, skipped="ansible-core is not installed")
        return
    (folder / "tasks.yml").write_text(json.dumps(_playbook(asked.script)), encoding="utf-8")
    sides = {"ours": lambda: look(cloud, asked), "raw": lambda: _raw(cloud, asked, folder)}
    if tasks:
        sides["tasks"] = lambda: _tasks(cloud, folder)
    taken = interleaved(sides, warm=not tasks)
    ours, raw = taken["ours"], taken["raw"]
    wall = series([t.wall for t in ours])
    yield figure(f"{what}, wall time", "ansible raw", QUICKER, wall, series([t.wall for t in raw]))
    yield figure(
        f"{what}, processor time of the client",
        "ansible raw",
        CHEAPER,
        series([t.cpu for t in ours]),
        series([t.cpu for t in raw]),
    )
    if tasks:
        theirs = series([t.wall for t in taken["tasks"]])
        yield figure(f"{what}, wall time", "ansible, a task each", THAN_TASKS, wall, theirs)


def _raw(cloud: Fleet, asked: Questions, folder: Path) -> Taken:
    argv = ["ansible", "all", "-i", str(cloud.inventory), "-f", str(FORKS), "-m", "raw", "-a", _free(asked.script)]
    return _ansible(argv, cloud)


def _tasks(cloud: Fleet, folder: Path) -> Taken:
    argv = ["ansible-playbook", "-i", str(cloud.inventory), "-f", str(FORKS), str(folder / "tasks.yml")]
    return _ansible(argv, cloud)


def _ansible(argv: list[str], cloud: Fleet) -> Taken:
    """Ansible as it comes, with connections kept while a run lasts and not from one run to the next.

    The processes that keep them are ended: a host whose processes are asked for has fewer then.
    """
    with tempfile.TemporaryDirectory(prefix="cp") as sockets:
        env = environment(
            ANSIBLE_SSH_COMMON_ARGS=f"-F {cloud.config}",
            ANSIBLE_SSH_CONTROL_PATH_DIR=sockets,
            ANSIBLE_HOST_KEY_CHECKING="False",
            ANSIBLE_LOCALHOST_WARNING="False",
            ANSIBLE_PYTHON_INTERPRETER="/usr/bin/python3",
        )
        taken = run([str(BIN / argv[0]), *argv[1:]], env=env, allowed=(0, 2, 4), heard=False)
        for kept in Path(sockets).iterdir():
            subprocess.run(
                ["ssh", "-o", f"ControlPath={kept}", "-O", "exit", "ended"], capture_output=True, check=False
            )
        return taken


def _playbook(script: str) -> list[dict[str, object]]:
    first, *commands = script.splitlines()
    tasks = [{"raw": _free(f"{first}; {command}"), "ignore_errors": True} for command in commands]
    return [{"hosts": "all", "gather_facts": False, "tasks": tasks}]


def _free(script: str) -> str:
    """What templates of Jinja would take for their own stays as it is; the first word is none of theirs."""
    return f"true; {{% raw %}}{script}{{% endraw %}}"


if __name__ == "__main__":
    main()
