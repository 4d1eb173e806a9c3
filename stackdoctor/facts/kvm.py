"""Whether a host can run guests on KVM: its device, its modules, and the processor's virtualization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.answers import output, said
from stackdoctor.facts.nova_config import NOVA_CONFIG
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["Kvm"]

DEVICE = Probe("kvm.device", ("ls", "-l", "/dev/kvm"), after=NOVA_CONFIG.id)
PROCESSOR = Probe("kvm.processor", ("grep", "-m", "1", "^flags", "/proc/cpuinfo"), after=NOVA_CONFIG.id)
MODULES = Probe("kvm.modules", files=("/proc/modules",), after=NOVA_CONFIG.id)


@dataclass(frozen=True)
class Kvm:
    """``device`` says whether /dev/kvm is there.

    ``hardware`` is yes or no for x86 processors, by the flags vmx (Intel) and svm (AMD), and unknown for others;
    ``module`` is kvm_intel, kvm_amd or kvm where one is loaded, empty where none is or KVM is built in.
    """

    device: bool
    hardware: Literal["yes", "no", "unknown"]
    module: str
    evidence: Evidence

    probes: ClassVar[tuple[Probe, ...]] = (DEVICE, PROCESSOR, MODULES)

    def __str__(self) -> str:
        return "/dev/kvm"

    @classmethod
    def parse(cls, results: NodeResults) -> Kvm:
        """What is there; raises NotApplicable on a node without nova.conf, CouldNotCheck."""
        found = results.every(DEVICE)[0]
        if found.status is Status.NOT_RUN and NOVA_CONFIG.id in found.reason:
            raise NotApplicable(found.reason)
        if found.status is not Status.RAN:
            raise CouldNotCheck(f"{found.command}: {found.reason or found.status.value}")
        if found.exit and "No such file" not in said(found):
            raise CouldNotCheck(f"{found.command}: {said(found)}")
        return cls(not found.exit, _hardware(results), _module(results), results.evidence(found, said(found)))


def _hardware(results: NodeResults) -> Literal["yes", "no", "unknown"]:
    try:
        flags = output(results.one(PROCESSOR)).split()
    except (CouldNotCheck, NotApplicable):
        return "unknown"
    if not flags:
        return "unknown"
    return "yes" if {"vmx", "svm"} & set(flags) else "no"


def _module(results: NodeResults) -> str:
    try:
        text = results.usable(MODULES)[0].text
    except (CouldNotCheck, NotApplicable):
        return ""
    loaded = {line.partition(" ")[0] for line in text.split("\n")}
    return next((name for name in ("kvm_intel", "kvm_amd", "kvm") if name in loaded), "")
