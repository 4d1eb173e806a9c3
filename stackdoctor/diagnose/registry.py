"""The checks there are: the project's own and third parties', found by one way in."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import pkgutil
import re
import sys
import types
import typing
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from stackdoctor.api import MARK, CheckMark
from stackdoctor.errors import UsageError
from stackdoctor.facts.fact import Fact
from stackdoctor.model import Cloud, Finding, Probe, Severity

__all__ = [
    "GROUP",
    "Check",
    "Need",
    "allowed_fact",
    "check_of",
    "entry_packages",
    "load_checks",
    "probes_of",
    "select_checks",
]

GROUP = "stackdoctor.checks"


@dataclass(frozen=True, eq=False)
class Need:
    """One fact that a check asks for: of one node or of the whole cloud, with or without it."""

    parameter: str
    fact: type[Fact]
    cloud: bool
    optional: bool


@dataclass(frozen=True)
class Check:
    """A check as the runner knows it."""

    id: str
    severity: Severity
    doc: str
    needs: tuple[Need, ...]
    run: Callable[..., Iterator[Finding]]
    origin: str

    @property
    def title(self) -> str:
        """The first sentence of the documentation."""
        return self.doc.strip().split("\n", 1)[0]

    @cached_property
    def over_cloud(self) -> bool:
        """Whether it looks at all nodes at once."""
        return all(need.cloud for need in self.needs)

    @cached_property
    def of_one_node(self) -> bool:
        """Whether it asks for nothing of other nodes."""
        return not any(need.cloud for need in self.needs)


def check_of(function: Callable[..., Iterator[Finding]]) -> Check:
    """The check that a function marked by ``@check`` is; raises UsageError where it is not well made."""
    mark: CheckMark = getattr(function, MARK)
    place = f"{function.__module__}.{function.__qualname__}"
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError) as error:
        raise UsageError(f"check {mark.id} ({place}): its annotations cannot be read: {error}") from error
    needs = []
    for parameter in inspect.signature(function).parameters:
        if parameter not in hints:
            raise UsageError(f"check {mark.id} ({place}): parameter {parameter} needs a fact as its annotation")
        needs.append(_need(mark.id, place, parameter, hints[parameter]))
    if not needs:
        raise UsageError(f"check {mark.id} ({place}) asks for no fact")
    if not function.__doc__:
        raise UsageError(f"check {mark.id} ({place}) has no docstring: `stackdoctor explain` prints it")
    return Check(mark.id, mark.severity, inspect.cleandoc(function.__doc__), tuple(needs), function, place)


def _need(check_id: str, place: str, parameter: str, hint: object) -> Need:
    optional = False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        optional = len(kinds) < len(typing.get_args(hint))
        hint = kinds[0] if len(kinds) == 1 else hint
    cloud = typing.get_origin(hint) is Cloud
    fact = typing.get_args(hint)[0] if cloud else hint
    if not (isinstance(fact, type) and hasattr(fact, "probes") and hasattr(fact, "parse")):
        raise UsageError(f"check {check_id} ({place}): {parameter} asks for {hint!r}, which is not a fact")
    return Need(parameter, typing.cast("type[Fact]", fact), cloud, optional)


def load_checks(directories: Iterable[Path] = ()) -> tuple[Check, ...]:
    """All checks: of the installed entry points, then of ``directories``, ordered by id.

    Raises UsageError for a module that does not load and for two checks with one id.
    """
    modules = [*_entry_modules(), *_directory_modules(directories)]
    by_id: dict[str, Check] = {}
    for module in modules:
        for function in filter(inspect.isfunction, tuple(vars(module).values())):
            if not hasattr(function, MARK) or function.__module__ != module.__name__:
                continue
            found = check_of(function)
            if found.id in by_id:
                raise UsageError(f"two checks are called {found.id}: {by_id[found.id].origin} and {found.origin}")
            by_id[found.id] = found
    return tuple(sorted(by_id.values(), key=lambda c: c.id))


def entry_packages(group: str) -> Iterator[types.ModuleType]:
    """The packages that the entry points of ``group`` name; raises UsageError for one that does not load."""
    for point in _entry_points().select(group=group):
        try:
            yield point.load()
        except Exception as error:  # a third party's package may fail in any way, and is named for it
            raise UsageError(f"entry point {point.name} of {group} ({point.value}) does not load: {error}") from error


@functools.cache
def _entry_points() -> importlib.metadata.EntryPoints | importlib.metadata.SelectableGroups:
    """Those of all that is installed, which takes a file of each distribution: looked for once."""
    return importlib.metadata.entry_points()


def _entry_modules() -> Iterator[types.ModuleType]:
    for package in entry_packages(GROUP):
        yield package
        for info in pkgutil.walk_packages(getattr(package, "__path__", []), package.__name__ + "."):
            yield importlib.import_module(info.name)


def _directory_modules(directories: Iterable[Path]) -> Iterator[types.ModuleType]:
    for directory in directories:
        if not directory.is_dir():
            raise UsageError(f"--checks {directory}: there is no such directory")
        for file in sorted(directory.rglob("*.py")):
            name = "stackdoctor_checks_" + re.sub(r"\W", "_", str(file.resolve().with_suffix("")))
            spec = importlib.util.spec_from_file_location(name, file)
            if spec is None or spec.loader is None:
                raise UsageError(f"{file} is not a Python module")
            module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses and pickle look there
            try:
                spec.loader.exec_module(module)
            except Exception as error:  # whatever a check's file raises, its author is told where
                del sys.modules[name]
                raise UsageError(f"{file} does not load: {type(error).__name__}: {error}") from error
            yield module


def select_checks(checks: Iterable[Check], globs: Iterable[str]) -> tuple[Check, ...]:
    """The checks whose id matches one of ``globs`` (all without one); raises UsageError for a glob without a match."""
    checks = tuple(checks)
    globs = tuple(globs)
    for glob in globs:
        if not any(fnmatchcase(c.id, glob) for c in checks):
            close = difflib.get_close_matches(glob, [c.id for c in checks], 3)
            hint = f"did you mean {', '.join(close)}?" if close else "`stackdoctor checks` lists them"
            raise UsageError(f"--check {glob} matches no check: {hint}")
    return tuple(c for c in checks if not globs or any(fnmatchcase(c.id, glob) for glob in globs))


def allowed_fact(fact: type[Fact], consents: Container[str]) -> bool:
    """Whether ``fact`` may be asked for: one with a ``consent`` only where the operator gave that one."""
    consent = getattr(fact, "consent", "")
    return not consent or consent in consents


def probes_of(checks: Iterable[Check], consents: Container[str] = ()) -> Iterator[Probe]:
    """The probes that feed the facts of ``checks``, with repetitions, of those that need a consent if it is given."""
    for each in checks:
        for need in each.needs:
            if allowed_fact(need.fact, consents):
                yield from need.fact.probes
