"""The configuration: what its keys are, what two files set together, and where each value comes from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from stackdoctor.errors import UsageError

if TYPE_CHECKING:
    from stackdoctor.inventory.ignore import Ignore

__all__ = ["BESIDE", "HARMLESS", "KEYS", "Mistakes", "Settings", "Value", "configuration_files", "read_settings"]

KEYS = (
    *("inventory", "from_cloud", "login", "ssh_config", "known_hosts", "accept_new", "os_cloud"),
    *("since", "timeout", "parallel", "budget_cpu", "budget_bytes", "full", "quiet", "executor", "database"),
    *("check", "checks", "playbooks", "format", "fail_on", "verbose"),
)
"""The options that a configuration may set, in the order in which they are shown."""

BESIDE = (*KEYS, "ignore")
"""What may stand beside the nodes in a file that is a configuration and an inventory at once."""

_NEED_TRUST = {
    *("inventory", "from_cloud", "login", "ssh_config", "known_hosts", "accept_new", "os_cloud"),
    *("executor", "database", "checks", "playbooks"),
}
HARMLESS = frozenset(BESIDE) - _NEED_TRUST
"""What a file that somebody else can write may set: nothing that runs code, is trusted, or leads to other machines."""


class Mistakes(UsageError):
    """All that is wrong with one file, a sentence each with its line."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        more = f" (and {len(problems) - 1} more: `stackdoctor config check`)" if len(problems) > 1 else ""
        super().__init__(problems[0] + more)
        self.problems = problems


Value = str | bool | Sequence[str]


@dataclass(frozen=True)
class Settings:
    """The values by key, the place (``file:line``) that each comes from, and what is silenced.

    ``files`` are those that were read, the later ones over the earlier.
    """

    values: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ignores: tuple[Ignore, ...] = ()
    files: tuple[Path, ...] = ()

    @property
    def inventory(self) -> Path | None:
        """The inventory, where one is set."""
        value = self.values.get("inventory")
        return Path(value) if isinstance(value, str) else None

    def over(self, earlier: Settings) -> Settings:
        """These over ``earlier`` ones; nodes are named in one way, so that the later way replaces the other."""
        ways = ("inventory", "from_cloud")
        kept = {k: v for k, v in earlier.values.items() if k not in ways or not self.values.keys() & set(ways)}
        return Settings(
            MappingProxyType({**kept, **self.values}),
            MappingProxyType({**{key: earlier.origins[key] for key in kept}, **self.origins}),
            (*earlier.ignores, *self.ignores),
            (*earlier.files, *self.files),
        )


def configuration_files(named: Path | None) -> tuple[Path, ...]:
    """The files that are there: the user's own and that of this folder, or ``named`` alone, which must be there.

    Raises UsageError where it is not.
    """
    if named is not None:
        if not named.exists():
            raise UsageError(f"--config {named}: there is no such file")
        return (named,)
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    both = (Path(home, "stackdoctor", "config.yaml"), Path("stackdoctor.yaml"))
    return tuple(file for file in both if os.path.lexists(file))


def read_settings(files: Iterable[Path]) -> Settings:
    """What ``files`` set, each over those before; raises UsageError with file and line of every mistake."""
    from stackdoctor.cli.settings_file import read_file

    settings = Settings()
    for file in files:
        settings = read_file(file).over(settings)
    return settings
