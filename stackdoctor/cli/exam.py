"""`stackdoctor exam DIR...`: for contributors, how the verdicts on recorded clouds compare with the truth."""

from __future__ import annotations

from pathlib import Path

import click

from stackdoctor.cli.options import knowledge_options
from stackdoctor.diagnose.exam import find_cases, sit
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
    width = max(len(case.name) for case in cases)
    right = 0
    for case in cases:
        mark = sit(case, knowledge)
        right += mark.right
        details = f"named {', '.join(mark.named) or 'nothing'}"
        details += f"; missed {', '.join(mark.missed)}" if mark.missed else ""
        details += f"; wrong {', '.join(mark.wrong)}" if mark.wrong else ""
        details += f"; {mark.unexplained} errors unexplained" if mark.unexplained else ""
        click.echo(f"{case.name:<{width}}  {'right' if mark.right else 'WRONG'}  {mark.seconds:5.2f} s  {details}")
    click.echo(f"{right} of {len(cases)} right")
    return 0 if right == len(cases) else 1
