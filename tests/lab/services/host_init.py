"""The first process of a lab host: makes the host's root file system, then reaps what dies.

Runs as PID 1 of new mount, PID, UTS, IPC and network namespaces.  The root is a tmpfs; /usr, /etc and
the Python that the services run with are overlays, so that a host sees the machine's programs and
writes only to its own memory.  Everything is gone when this process is.

Its standard input is a JSON object: hostname, scratch (an empty directory), overlays (directories), absent
(globs of names of programs that the host has not), directories and files (path -> {"mode", "owner", "text"}).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

DEVICES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
    "net/tun": (10, 200),
}
DIRECTORIES = ("home", "mnt", "opt", "srv", "var/cache", "var/lib", "var/log", "var/spool", "run/lock", "run/sshd")


def mount(kind: str, target: Path, options: str = "", source: str = "") -> None:
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", kind, *(["-o", options] if options else []), source or kind, target], check=True)


def make_devices(dev: Path) -> None:
    mount("tmpfs", dev, "mode=755,size=1m")
    (dev / "net").mkdir()
    for name, (major, minor) in DEVICES.items():
        os.mknod(dev / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        (dev / name).chmod(0o666)
    mount("devpts", dev / "pts", "newinstance,ptmxmode=0666,mode=620")
    mount("tmpfs", dev / "shm", "mode=1777,size=64m")
    for name, target in (("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdout", "/proc/self/fd/1")):
        (dev / name).symlink_to(target)


def make_overlays(root: Path, upper: Path, directories: list[str]) -> None:
    mount("tmpfs", upper, "mode=755,size=1g")
    for number, directory in enumerate(directories):
        above, work = upper / f"{number}", upper / f"{number}.work"
        above.mkdir()
        shutil.copymode(directory, above)
        work.mkdir()
        mount("overlay", root / directory[1:], f"lowerdir={directory},upperdir={above},workdir={work}")


def write_files(root: Path, directories: dict[str, Any], files: dict[str, Any]) -> None:
    for path, entry in directories.items():
        place = root / path[1:]
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(entry["mode"])
        shutil.chown(place, *entry["owner"])
    for path, entry in files.items():
        place = root / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_text(entry["text"])
        place.chmod(entry["mode"])
        shutil.chown(place, *entry["owner"])


def make_root(configuration: dict[str, Any]) -> Path:
    scratch = Path(configuration["scratch"])
    root = scratch / "root"
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    mount("tmpfs", root, "mode=755,size=1g")
    for link in Path("/").iterdir():
        if link.is_symlink() and os.readlink(link).lstrip("/").startswith("usr/"):
            (root / link.name).symlink_to(os.readlink(link))
    for directory in DIRECTORIES:
        (root / directory).mkdir(parents=True, exist_ok=True)
    for directory in ("tmp", "var/tmp"):
        (root / directory).mkdir()
        (root / directory).chmod(0o1777)
    (root / "var/run").symlink_to("/run")
    make_overlays(root, scratch / "upper", configuration["overlays"])
    for program in configuration["absent"]:
        for place in (*root.glob(f"usr/*bin/{program}"), *root.glob(f"usr/local/*bin/{program}")):
            place.unlink()
    make_devices(root / "dev")
    mount("proc", root / "proc", "nosuid,nodev,noexec")
    mount("sysfs", root / "sys", "ro,nosuid,nodev,noexec")
    write_files(root, configuration["directories"], configuration["files"])
    return root


def main() -> None:
    configuration = json.load(sys.stdin)
    socket.sethostname(configuration["hostname"])
    root = make_root(configuration)
    os.chdir(root)
    Path(".old").mkdir()
    subprocess.run(["pivot_root", ".", ".old"], check=True)
    os.chdir("/")
    subprocess.run(["umount", "-l", "/.old"], check=True)
    Path("/.old").rmdir()
    os.umask(0o022)
    print("ready", flush=True)
    reap()


def reap() -> None:
    """Wait for orphans for ever: every process of the host whose parent ended is ours."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        signal.sigwait({signal.SIGCHLD})


if __name__ == "__main__":
    main()
