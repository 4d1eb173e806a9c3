"""What a rule's target does to a packet: ends its way, sends it elsewhere, changes it, or nothing.

Targets of iptables-extensions(8).  One that is not known here may end the packet's way or let it go on.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from stackdoctor.facts.iptables import Rule
from stackdoctor.firewall.condition import parse_mark
from stackdoctor.firewall.packet import Packet

__all__ = ["CONTINUES", "ENDS", "NAT", "QUEUES", "change_of", "translated"]

ENDS = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject"}
QUEUES = frozenset({"QUEUE", "NFQUEUE"})
"""A program decides: accept or drop."""
NAT = frozenset({"DNAT", "SNAT", "MASQUERADE", "REDIRECT", "NETMAP", "SAME"})
CONTINUES = frozenset(
    (
        "LOG",
        "NFLOG",
        "ULOG",
        "AUDIT",
        "TRACE",
        "TEE",
        "CHECKSUM",
        "CLASSIFY",
        "DSCP",
        "TOS",
        "ECN",
        "TTL",
        "HL",
        "TCPMSS",
        "TCPOPTSTRIP",
        "RATEEST",
        "SECMARK",
        "CONNSECMARK",
        "IDLETIMER",
        "LED",
    )
)
"""The packet goes on to the next rule, unchanged in all that rules are asked about here."""

_ALL = 0xFFFFFFFF


def change_of(rule: Rule) -> Callable[[Packet], Packet] | None:
    """How the target changes the packet before the next rule; None for a target that is none of these."""
    args = dict(zip(rule.target_args, (*rule.target_args[1:], ""), strict=False))
    try:
        if rule.target == "MARK":
            return _marked("mark", args)
        if rule.target == "CONNMARK":
            return _marked("connmark", args)
        if rule.target in ("CT", "NOTRACK"):
            return _tracked("UNTRACKED" if rule.target == "NOTRACK" or "--notrack" in args else "NEW")
    except ValueError:
        return lambda packet: replace(packet, mark=None, connmark=None)
    if rule.target in ("SET", "HMARK"):
        if rule.target == "HMARK" or "--map-set" in args:
            return lambda packet: replace(packet, mark=None)
        return lambda packet: packet
    return None


def _tracked(state: str) -> Callable[[Packet], Packet]:
    """The first of these rules counts (xt_ct.c), and the rest of the raw table sees what it set."""
    return lambda packet: replace(packet, ctstate=state) if packet.ctstate == "INVALID" else packet


def _marked(field: str, args: dict[str, str]) -> Callable[[Packet], Packet]:
    if "--save-mark" in args or "--restore-mark" in args:
        return _copied("--save-mark" in args, args)
    clear, flip = _ALL, 0
    for option, text in args.items():
        value, mask = parse_mark(text) if option.startswith("--") else (0, 0)
        if option == "--set-xmark":
            clear, flip = mask, value
        elif option in ("--set-mark", "--set-mark/mask"):
            clear, flip = (mask | value) & _ALL, value
        elif option == "--and-mark":
            clear, flip = ~value & _ALL, 0
        elif option == "--or-mark":
            clear, flip = value, value
        elif option == "--xor-mark":
            clear, flip = 0, value
        elif option.startswith("--"):
            return lambda packet: _with(packet, {field: None})

    def change(packet: Packet) -> Packet:
        if field == "connmark" and packet.ctstate in ("INVALID", "UNTRACKED"):
            return packet
        mark: int | None = getattr(packet, field)
        known = clear == _ALL or mark is not None
        return _with(packet, {field: ((mark or 0) & ~clear & _ALL) ^ flip if known else None})

    return change


def _copied(save: bool, args: dict[str, str]) -> Callable[[Packet], Packet]:
    """CONNMARK's --save-mark (of the packet to its connection) and --restore-mark (back); xt_connmark.c."""
    mask = args.get("--mask")
    nfmask = int(args.get("--nfmask") or mask or "0xffffffff", 0)
    ctmask = int(args.get("--ctmask") or mask or "0xffffffff", 0)

    def change(packet: Packet) -> Packet:
        if packet.ctstate in ("INVALID", "UNTRACKED"):
            return packet
        if packet.mark is None or packet.connmark is None:
            return _with(packet, {"connmark" if save else "mark": None})
        if save:
            return replace(packet, connmark=(packet.connmark & ~ctmask & _ALL) ^ (packet.mark & nfmask))
        return replace(packet, mark=(packet.mark & ~nfmask & _ALL) ^ (packet.connmark & ctmask))

    return change


def translated(packet: Packet, rule: Rule) -> Packet:
    """The packet after a nat rule's target; what cannot be told from the rule alone becomes unknown."""
    args = dict(zip(rule.target_args, (*rule.target_args[1:], ""), strict=False))
    if rule.target in ("NETMAP", "SAME"):  # either end, by the hook that it is called from
        return replace(packet, src=None, dst=None, sport=None, ctnat=None)
    destination = rule.target in ("DNAT", "REDIRECT")
    known = packet.ctnat or frozenset()
    end, port = ("dst", "dport") if destination else ("src", "sport")
    new = _with(packet, {"ctnat": known | {"DNAT" if destination else "SNAT"}, end: None})
    if rule.target == "REDIRECT":
        return replace(new, dport=_one_port(args["--to-ports"]) if "--to-ports" in args else packet.dport)
    text = args.get("--to-destination" if destination else "--to-source", "")
    host, _, port_text = text[1:].partition("]") if text.startswith("[") else text.partition(":")
    if text.count(":") > 1 and not text.startswith("["):
        host, port_text = text, ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _with(new, {port: None}) if port_text else new
    if port_text:
        return _with(new, {end: address, port: _one_port(port_text.lstrip(":"))})
    # Source ports are changed only where they would clash, which no rule tells.
    return _with(new, {end: address}) if destination else replace(new, src=address, sport=None)


def _with(packet: Packet, values: dict[str, Any]) -> Packet:
    return replace(packet, **values)


def _one_port(text: str) -> int | None:
    return int(text) if text.isdigit() and len(text) < 6 else None
