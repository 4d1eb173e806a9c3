#!/usr/bin/env python3
"""Feed every reader (fuzz/readers.py) with bytes that coverage leads to, by atheris, beginning with recorded text.

    fuzz/run.py [--minutes 10] [--work DIR] [--only GLOB]

What raises anything else than it declares, or takes longer than ten seconds, is a finding: its bytes are kept in
DIR/findings, its traceback is printed once, and the search goes on.  Exit status: 0 nothing was found, 1 something was.
`fuzz/run.py --again FILE...` feeds the bytes of findings again.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
from fnmatch import fnmatchcase
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
LARGEST = 8192
SLOW = 10


def main() -> int:
    """One process that searches, begun anew where it had to be ended, until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--only", default="*", metavar="GLOB")
    parser.add_argument("--again", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--search", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.again:
        return again(given.again)
    work = given.work or Path(tempfile.mkdtemp(prefix="stackdoctor-fuzz-"))
    if given.search:
        search(work, given.search, given.only)
    for folder in ("corpus", "seeds", "findings"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * given.minutes
    while (left := end - time.monotonic()) > 1:
        command = [sys.executable, __file__, "--work", str(work), "--only", given.only, "--search", f"{left:.0f}"]
        subprocess.run(command, check=False)
    findings = sorted(p.name for p in (work / "findings").iterdir() if p.suffix != ".txt")
    print(f"{len(findings)} findings in {work}/findings {' '.join(findings)}")
    return int(bool(findings))


def search(work: Path, seconds: float, only: str) -> None:
    """Search until the time is over; does not return."""
    import atheris

    with atheris.instrument_imports(include=["stackdoctor"]):
        sys.path.insert(0, str(HERE))
        import readers
    names = [name for name in readers.READERS if fnmatchcase(name, only)]
    if not any((work / "seeds").iterdir()):
        for number, content in seeds(readers, names):
            content = number.to_bytes(2, "big") + content[: LARGEST - 2]
            (work / "seeds" / hashlib.sha1(content).hexdigest()).write_bytes(content)
    seen: set[tuple[str, ...]] = set()

    def one(data: bytes) -> None:
        if len(data) < 2:
            return
        name = names[int.from_bytes(data[:2], "big") % len(names)]
        try:
            readers.READERS[name](data[2:])
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            kind = (name, type(error).__name__, last.filename, str(last.lineno))
            if kind not in seen:
                seen.add(kind)
                digest = hashlib.sha1(repr(kind[1:]).encode()).hexdigest()[:12]
                kept = work / "findings" / f"{name.replace(' ', '-')}-{digest}"
                if not kept.exists():
                    kept.write_bytes(data[2:])
                    kept.with_suffix(".txt").write_text(traceback.format_exc())
                    print(f"\nFINDING in {name}, kept as {kept}\n{traceback.format_exc()}", flush=True)

    options = [f"-max_total_time={seconds:.0f}", f"-max_len={LARGEST}", f"-timeout={SLOW}", "-rss_limit_mb=4096"]
    options += [
        "-print_final_stats=1",
        "-report_slow_units=3600",
        f"-artifact_prefix={work}/findings/",
        "-len_control=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(work / "corpus"), str(work / "seeds")], one)
    atheris.Fuzz()
    sys.exit(0)


def archive() -> bytes:
    """A sosreport with an answer and a log."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in (
            ("sos_commands/date/date_--utc", b"Sun Nov 22 17:51:00 UTC 2026\n"),
            ("proc/uptime", b"1.0 1.0\n"),
            ("var/log/nova/nova-compute.log", b"2026-11-22 17:50:42.286 879 ERROR nova [None req-1 - -] x\n"),
        ):
            member = tarfile.TarInfo(f"sosreport-a-2026-11-22-abcdefg/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def seeds(readers, names):  # type: ignore[no-untyped-def]
    """What real nodes printed (fixtures, tests/facts/samples), for each reader that reads such."""
    from stackdoctor.facts.every import every_fact
    from stackdoctor.snapshot.read import read_snapshot

    recorded = [n for f in sorted((TOP / "fixtures").glob("*/snapshot.tar.gz")) for n in read_snapshot(f).nodes]
    samples = [p.read_bytes() for p in sorted((TOP / "tests/facts/samples").rglob("*")) if p.is_file()]
    for fact in every_fact():
        name = f"fact {fact.__name__}"
        if name not in names:
            continue
        number = names.index(name)
        found = [content for node in recorded if (content := readers.written(fact, node)) is not None]
        for content in sorted(set(found), key=len)[::3][:30] or (b"\0\0\0" + s[:LARGEST] for s in samples):
            yield number, content
    packet = bytes.fromhex("ffffffffffff00005e005301080045000030000100004011f96cc0000201c0000202") + bytes(24)
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    own = {
        "capture": [head + struct.pack("<IIII", 1, 2, len(packet), len(packet)) + packet],
        "agent": [b'SD1 00000060\n{"kind": "hello", "version": 1, "now": 1.0, "utc_offset": 0, "out": 0, "err": 0}\n'],
        "collected": [archive()],
        "credentials": [b"export OS_AUTH_URL='http://192.0.2.1:5000'\nexport OS_USERNAME=a\nOS_PASSWORD=b\n"],
        "firewall": [c for n in recorded[::9] if (c := readers.written(readers.Iptables, n))],
        "inventory": [
            b"nodes:\n- a\n- {name: b, address: 192.0.2.1, port: 22, user: x}\nignore: []\n",
            b"[control]\na[01:3] ansible_host=192.0.2.1\n[nova:children]\ncontrol\n[all:vars]\nansible_user=x\n",
            b"all: {children: {control: {hosts: {a: {ansible_host: 192.0.2.1}}, vars: {ansible_user: x}}}}\n",
            b'{"control": {"hosts": ["a"]}, "_meta": {"hostvars": {"a": {"ansible_port": 22}}}}',
            b"cidr_networks: {container: 192.0.2.0/24}\ncompute_hosts: {a: {ip: 192.0.2.1}}\n",
        ],
        "known_hosts": [
            b"[192.0.2.1]:2222 ssh-ed25519 AAAA\n@revoked *.a,!b ssh-rsa AAAA\n|1|AAAA|AAAA ssh-rsa AAAA\n"
        ],
        "log stamps": [s[:2000] for s in samples],
        "node list": [b"a,b,user@c:2222,[2001:db8::1]:22"],
        "packet": [b"udp 172.16.0.100:67 > 172.16.0.105:68 in tap0 mac 00:00:5e:00:53:01"],
        "pattern": [b"lost its way to (?P<place>\\S+)", b"(?i)a[^b-d]{2,3}|^x$"],
        "playbook": [p.read_bytes() for p in sorted((TOP / "playbooks").glob("*.yaml"))[::9]],
        "records": [r.stdout for n in recorded[::5] if (r := n.results.get(("logs.hits", "")))],
        "report": [b'{"schema": "stackdoctor/report/1", "nodes": [], "findings": [], "diagnoses": []}'],
        "secrets": (TOP / "tests/collect/planted_secrets.txt").read_bytes().splitlines()[::5],
        "snapshot": [],
        "ssh configuration": [
            b"User a\nHost n b* !c\n Port 22\n IdentityFile ~/k\nMatch host n user a\n ProxyJump d:23,e\nInclude none\n"
        ],
        "symptoms": [p.read_bytes() for p in sorted((TOP / "playbooks/symptoms").glob("*.yaml"))],
        "terminal": [b"\x1b[2Jgone\xe2\x80\xae\tlog"],
    }
    for name, contents in own.items():
        if name in names:
            for content in contents:
                yield names.index(name), content


def again(files: list[Path]) -> int:
    """Feed findings again, without coverage; the reader is in the name of the file."""
    sys.path.insert(0, str(HERE))
    import readers

    for file in files:
        data = file.read_bytes()
        name = next((n for n in readers.READERS if file.name.startswith(n.replace(" ", "-") + "-")), "")
        if not name:  # kept by libFuzzer itself, with the number of the reader before it
            name, data = list(readers.READERS)[int.from_bytes(data[:2], "big") % len(readers.READERS)], data[2:]
        began = time.process_time()
        try:
            readers.READERS[name](data)
            print(f"{file.name}: {name}: nothing, in {time.process_time() - began:.1f} s")
        except Exception:
            print(f"{file.name}:")
            traceback.print_exc()
    return 0


if __name__ == "__main__":
    sys.exit(main())
