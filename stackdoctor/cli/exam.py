"""`stackdoctor exam DIR...`: for contributors, how the verdicts on recorded clouds compare with the truth."""

from __future__ import annotations

from pathlib import Path

import click

from stackdoctor.cli.options import knowledge_options
from stackdoctor.diagnose.exam import Mark, find_cases, sit
from stackdoctor.diagnose.knowledge import load_knowledge

__all__ = ["command"]


@click.command("exam")
@click.argument("directories", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR...")
@knowledge_options
def command(
    directories: tuple[Path, ...],
    globs: tuple[str, ...],
    check_directories: tuple[Path, ...],
    playbook_directories: tuple[Path, ...],
) -> int:
    """Diagnose recorded clouds and mark the verdicts against their truth.json.

    Right is: every broken thing is named first, at its place, and nothing else is named.
    """
    knowledge = load_knowledge(globs, check_directories, playbook_directories)
    cases = list(find_cases(directories))
    width = max(len("case"), *(len(case.name) for case in cases))
    right = 0
    click.echo(f"{'case':<{width}}  verdict  cause  place  false  unexplained  seconds  named")
    for case in cases:
        mark = sit(case, knowledge)
        right += mark.right
        click.echo(f"{case.name:<{width}}  {_row(mark)}")
    click.echo(f"{right} of {len(cases)} right")
    return 0 if right == len(cases) else 1


def _row(mark: Mark) -> str:
    """Whether the right cause comes first and stands at the right place, false causes, unexplained errors, time."""
    details = ", ".join(mark.named) or "nothing"
    details += f"; missed {', '.join(mark.missed)}" if mark.missed else ""
    details += f"; wrong {', '.join(mark.wrong)}" if mark.wrong else ""
    cause, place = ("yes" if good else "NO" for good in (mark.first and not _unnamed(mark), mark.places))
    return (
        f"{'right' if mark.right else 'WRONG':<7}  {cause:<5}  {place:<5}  {len(mark.wrong):>5}  "
        f"{mark.unexplained:>11}  {mark.seconds:>7.2f}  {details}"
    )


def _unnamed(mark: Mark) -> bool:
    named = {name.partition("@")[0] for name in mark.named}
    return any(broken.causes.isdisjoint(named) for broken in mark.case.broken)
