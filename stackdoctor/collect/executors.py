"""Where nodes are looked at from: this process, others on this machine, or Dask workers near the nodes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from stackdoctor.errors import UsageError

__all__ = ["KINDS", "Near", "executors"]

KINDS = "threads, processes:N, dask://HOST:PORT or dask+tls://HOST:PORT"

Near = Callable[[str], Executor]
"""From a site (empty: any) to the executor whose workers are near it."""

_SCHEMES = {"dask": "tcp", "dask+tls": "tls"}
_PATIENCE = 10.0


@contextmanager
def executors(where: str, sites: Collection[str]) -> Iterator[Near]:
    """The executors of ``where`` (`KINDS`, but for threads) for the nodes of ``sites``.

    TLS takes its certificates from Dask's own configuration (``distributed.comm.tls``).  Raises UsageError for what is
    none of `KINDS`, and where no scheduler answers, it has no workers, or none of them is of one of ``sites``.
    """
    if number := re.fullmatch(r"processes(?::([1-9]\d{0,2}))?", where):
        with ProcessPoolExecutor(int(number[1]) if number[1] else None) as pool:
            yield lambda site: pool
    elif address := re.fullmatch(r"(dask|dask\+tls)://([^/\s]+:\d+)", where):
        with _dask(f"{_SCHEMES[address[1]]}://{address[2]}") as client:
            _refuse_absent(client, where, sites)
            yield lambda site: _of_site(client, site)
    else:
        raise UsageError(f"--executor {where}: known are {KINDS}")


@contextmanager
def _dask(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError("--executor dask://... needs Dask: pip install 'stackdoctor[dask]'") from error
    try:
        client: Any = Client(address, timeout=_PATIENCE, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise UsageError(f"no Dask scheduler answers at {address}: {error}") from error
    try:
        yield client
    finally:
        client.close()


def _refuse_absent(client: Any, where: str, sites: Collection[str]) -> None:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if not workers:
        raise UsageError(f"{where} has no workers: start some with `dask worker HOST:PORT`")
    offered = {resource for worker in workers for resource in worker["resources"]}
    for site in sorted(set(sites) - offered - {""}):
        raise UsageError(f"{where} has no worker for the site {site}: start one with --resources '{site}=4'")


def _of_site(client: Any, site: str) -> Executor:
    """A task of a worker that is lost is done again by another (``distributed.scheduler.allowed-failures`` times)."""
    executor: Executor = client.get_executor(pure=False, **({"resources": {site: 1}} if site else {}))
    return executor
