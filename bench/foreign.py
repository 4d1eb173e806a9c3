"""`diagnose --from` one tree as sos(1) makes it, against hotsos (PyPI) over the same tree.

``python bench/foreign.py 45`` takes the tree's size in MiB: mostly logs of the last two hours, the same each time.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cloud import STACKDOCTOR
from measure import interleaved, run, series
from outcome import Outcome, Reach, figure, keep

__all__ = ["main"]

HOTSOS = Path(sys.executable).parent / "hotsos"
QUICKER = Reach(15.0, at_least=True)
MEMORY = Reach(100.0, "MiB")
NOW = datetime(2026, 11, 22, 18, 0, 0)
LOGS = ("nova/nova-compute", "nova/nova-api", "neutron/neutron-server", "neutron/neutron-linuxbridge-agent")
PACKAGES = ("nova-common", "nova-compute", "neutron-common", "neutron-linuxbridge-agent", "python3-oslo.messaging")
"""Without them hotsos looks at nothing of OpenStack."""
SAYS = (
    "INFO nova.compute.claims [req-{id} - - - - -] [instance: {id}] Claim successful on node compute1",
    "DEBUG oslo_service.periodic_task [req-{id} - - - - -] Running periodic task ComputeManager._poll_volume_usage",
    "INFO nova.compute.resource_tracker [req-{id} - - - - -] Final resource view: name=compute1 phys_ram=7961MB",
)
FAULT = "ERROR oslo.messaging._drivers.impl_rabbit [-] [{id}] AMQP server on 192.0.2.1:5672 is unreachable: timed out."


def main() -> None:
    """Measure a tree of the command line's size."""
    mib = int(next(iter(sys.argv[1:]), "45"))
    with tempfile.TemporaryDirectory(prefix="stackdoctor-bench-") as name:
        tree = Path(name) / "sosreport-compute1-2026-11-22-abcdefg"
        _write(tree, mib << 20)
        keep(f"foreign-{mib}", _outcomes(tree, f"a sosreport of {mib} MiB"), (f"{HOTSOS} --version",))


def _outcomes(tree: Path, what: str) -> Iterator[Outcome]:
    sides = {"ours": lambda: run([STACKDOCTOR, "diagnose", "--from", str(tree), "--since", "1d"], allowed=(0, 1))}
    if HOTSOS.exists():
        sides["hotsos"] = lambda: run([str(HOTSOS), str(tree)])
    taken = interleaved(sides)
    ours = series([t.wall for t in taken["ours"]])
    if "hotsos" in taken:
        yield figure(f"{what}, wall time", "hotsos", QUICKER, ours, series([t.wall for t in taken["hotsos"]]))
    else:
        yield Outcome(f"{what}, wall time", "hotsos", QUICKER, skipped="hotsos is not installed")
    yield figure(f"{what}, memory", "", MEMORY, series([t.peak_mib for t in taken["ours"]]), unit="MiB")


def _write(tree: Path, size: int) -> None:
    _put(tree / "sos_commands/date/date", f"{NOW:%a %b %d %H:%M:%S} UTC {NOW:%Y}\n")
    _put(tree / "sos_commands/host/hostname", "compute1\n")
    _put(tree / "sos_commands/dpkg/dpkg_-l", "".join(f"ii  {name}  3:26.2.2-1  all  OpenStack\n" for name in PACKAGES))
    _put(tree / "etc/nova/nova.conf", "[DEFAULT]\ntransport_url = rabbit://nova:x@192.0.2.1:5672/\n")
    chance = random.Random(45)
    for name in LOGS:
        file = tree / f"var/log/{name}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w", encoding="ascii") as stream:
            _log(stream.write, size // len(LOGS), chance)


def _log(write: object, size: int, chance: random.Random) -> None:
    assert callable(write)
    lines = size // 140
    for number in range(lines):
        at = NOW - timedelta(seconds=7200.0 * (lines - number) / lines)
        says = FAULT if number % 2000 == 1999 else chance.choice(SAYS)
        id_ = f"{chance.getrandbits(128):032x}"
        stamp = f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"
        write(f"{stamp} 2417 {says.format(id=id_)}\n")


def _put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
