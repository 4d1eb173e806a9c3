"""`stackdoctor pcap`: captures from elsewhere, read as those of `capture` are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stackdoctor.cli.flows_page import flows_value, show_flows
from stackdoctor.cli.services_page import Dissected, services_value, show_services
from stackdoctor.errors import UsageError

if TYPE_CHECKING:
    from stackdoctor.active.pcap import Capture

__all__ = ["command"]

MOST = 512 * 1024 * 1024


@click.command("pcap")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True)
def command(files: tuple[Path, ...], form: str) -> int:
    """Follow packets over captures from elsewhere: one FILE a hop, in the order of their way.

    Where there is AMQP or HTTP in them, tshark dissects it: RPC calls without a reply, by queue and method, with
    latencies; what the broker closed; API requests with their status and request id.

    Exit status: 0 nothing was lost, 1 packets of a kind did not get to the last file, 2 wrong use.
    """
    from stackdoctor.active.follow import flows, follow
    from stackdoctor.active.pcap import read_capture

    captures = tuple(read_capture(str(file), _content(file)) for file in files)
    flowing = flows(follow(captures), len(captures))
    found = [_dissected(file) for file, capture in zip(files, captures, strict=True) if _has_services(capture)]
    if form == "json":
        value = {**flows_value(captures, flowing), "services": [services_value(one) for one in found]}
        click.echo(json.dumps(value, indent=2))
    else:
        show_flows(captures, flowing)
        for one in found:
            show_services(one)
    return 1 if any(flow.lost_after is not None for flow in flowing) and len(captures) > 1 else 0


def _has_services(capture: Capture) -> bool:
    from stackdoctor.active.dissect import AMQP_PORT, HTTP_PORTS

    kinds = {frame.kind for frame in capture.frames}
    return any(f"TCP to port {port}" in kinds for port in (AMQP_PORT, *HTTP_PORTS))


def _dissected(file: Path) -> Dissected:
    from stackdoctor.active.dissect import dissect
    from stackdoctor.active.rpc_calls import by_kind, calls_of

    try:
        messages, closed, http = dissect(file)
    except UsageError as why:
        return Dissected(str(file), (), (), (), str(why))
    return Dissected(str(file), by_kind(calls_of(messages)), closed, http)


def _content(file: Path) -> bytes:
    try:
        if file.stat().st_size > MOST:
            raise UsageError(
                f"{file} has more than {MOST >> 20} MiB: cut it with `editcap -i SECONDS` or a filter first"
            )
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
