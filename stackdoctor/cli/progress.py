"""How far the collection is: a live line on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from stackdoctor.collect.run import Event, HostKeyAdded, NodeDone, NodeStarted, ProbeDone

__all__ = ["progress"]

NAMES_SHOWN = 3


@contextmanager
def progress(nodes: int, *, quiet: bool) -> Iterator[Callable[[Event], None]]:
    """A function to be told of events; what it prints goes to standard error."""
    if quiet:
        yield _only_keys
    elif sys.stderr.isatty():
        with _live(nodes) as tell:
            yield tell
    else:
        yield _plain(nodes)


def _only_keys(event: Event) -> None:
    """A host key is never trusted silently, not even with --quiet."""
    if isinstance(event, HostKeyAdded):
        click.echo(_key_sentence(event), err=True)


def _key_sentence(event: HostKeyAdded) -> str:
    return f"{event.host}: host key {event.fingerprint} trusted on first use, written to {event.file}"


def _plain(nodes: int) -> Callable[[Event], None]:
    done = 0

    def tell(event: Event) -> None:
        nonlocal done
        _only_keys(event)
        if isinstance(event, NodeDone):
            done += 1
            state = event.failure or "done"
            click.echo(f"[{done}/{nodes}] {event.node.name}: {state} ({event.seconds:.1f} s)", err=True)

    return tell


@contextmanager
def _live(nodes: int) -> Iterator[Callable[[Event], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.text import Text

    console = Console(stderr=True)
    columns = (
        TextColumn("looking at"),
        BarColumn(24),
        TextColumn("{task.fields[state]}", markup=False),
        TimeElapsedColumn(),
    )
    running: dict[str, tuple[int, int]] = {}
    finished: dict[str, bool] = {}
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=nodes, state="")

        def tell(event: Event) -> None:
            if isinstance(event, HostKeyAdded):
                bar.console.print(Text(_key_sentence(event)))
            elif isinstance(event, NodeStarted):
                running[event.node.name] = (0, 1)
            elif isinstance(event, ProbeDone):
                running[event.node.name] = (event.done, event.total)
            elif isinstance(event, NodeDone):
                running.pop(event.node.name, None)
                finished[event.node.name] = not event.failure
                if event.failure:
                    bar.console.print(Text(f"{event.node.name}: {event.failure}", style="yellow"))
            share = len(finished) + sum(min(1.0, done / max(total, 1)) for done, total in tuple(running.values()))
            waiting = ", ".join(list(running)[:NAMES_SHOWN]) + (" ..." if len(running) > NAMES_SHOWN else "")
            bar.update(task, completed=share, state=f"{len(finished)}/{nodes} nodes  {waiting}")

        yield tell
