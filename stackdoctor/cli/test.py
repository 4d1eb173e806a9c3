"""`stackdoctor test`: small active tests that undo themselves."""

from __future__ import annotations

import click

from stackdoctor.cli.active_broker import amqp, rpc
from stackdoctor.cli.active_network import dhcp, metadata, mtu, ping
from stackdoctor.cli.active_storage import iscsi

__all__ = ["command"]


@click.group("test")
def command() -> None:
    """Try one thing as a service or a guest would, and undo it: each says first what it will do.

    Exit status: 0 it works, 1 it does not, 2 wrong use or consent refused, 3 it could not be tried.
    """


for each in (amqp, rpc, dhcp, ping, metadata, mtu, iscsi):
    command.add_command(each)
