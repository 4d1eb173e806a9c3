"""What an unfinished word may become in a shell; the knowledge loads only when one asks."""

from __future__ import annotations

from collections.abc import Iterable

import click

__all__ = ["causes", "checks", "explainable", "symptoms"]


def causes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The causes that begin so."""
    from stackdoctor.diagnose.knowledge import load_knowledge

    return _begin((playbook.cause for playbook in load_knowledge().playbooks), incomplete)


def checks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The ids of checks and log signatures that begin so."""
    from stackdoctor.diagnose.knowledge import load_knowledge

    return _begin((check.id for check in load_knowledge().checks), incomplete)


def explainable(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """All that `explain` knows and that begins so."""
    from stackdoctor.diagnose.knowledge import load_knowledge

    return _begin(load_knowledge().explainable(), incomplete)


def symptoms(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The symptoms that begin so."""
    from stackdoctor.diagnose.knowledge import load_knowledge

    return _begin((symptom.id for symptom in load_knowledge().symptoms), incomplete)


def _begin(ids: Iterable[str], incomplete: str) -> list[str]:
    return sorted(id_ for id_ in ids if id_.startswith(incomplete))
