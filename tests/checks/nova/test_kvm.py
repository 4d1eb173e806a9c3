"""Real text: `ls -l /dev/kvm` and the flags of a processor that is a guest itself (its tail cut), nova.conf of Zed."""

import pytest

from stackdoctor.model import Status

NO_KVM = (2, "ls: cannot access '/dev/kvm': No such file or directory\n")
KVM = "crw-rw-rw- 1 root root 10, 232 Nov 22 21:43 /dev/kvm\n"
FLAGS = "flags\t\t: fpu vme de pse tsc msr hypervisor lahf_lm cmp_legacy svm abm sse4a\n"
CONFIG = "[DEFAULT]\ncompute_driver = libvirt.LibvirtDriver\n[libvirt]\nvirt_type = {0}\ninject_partition = -2\n"
COMPUTE = "/usr/bin/python3 /usr/bin/nova-compute --config-file /etc/nova/nova.conf"


def node(processes: str, device: object, virt_type: str = "kvm") -> dict[str, object]:
    return {
        "processes": processes,
        "services.systemd": "",
        "services.docker": Status.MISSING,
        "services.podman": Status.MISSING,
        "nova.config /etc/nova/nova.conf": CONFIG.format(virt_type),
        "kvm.device": device,
        "kvm.processor": FLAGS,
        "kvm.modules /proc/modules": "vhost_net 36864 0 - Live 0x0000000000000000\n",
    }


def test_a_compute_host_without_kvm_that_wants_it_is_the_cause(look, processes) -> None:
    seen = look(compute1=node(processes(COMPUTE), NO_KVM))
    found = seen.findings["libvirt.kvm.missing"]
    assert found.keys["hardware"] == "yes"
    assert "the module is not loaded" in found.message
    assert seen.causes == [("kvm-missing", "compute1")]


@pytest.mark.parametrize(
    ("command", "device", "virt_type"), [(COMPUTE, KVM, "kvm"), (COMPUTE, NO_KVM, "qemu"), ("", NO_KVM, "kvm")]
)
def test_with_kvm_with_emulation_or_without_nova_compute_it_is_fine(
    look, processes, command, device, virt_type
) -> None:
    assert look(compute1=node(processes(command), device, virt_type)).findings == {}


def test_a_node_without_nova_is_not_asked(look, processes) -> None:
    asked = node(processes(COMPUTE), Status.NOT_RUN)
    del asked["nova.config /etc/nova/nova.conf"]
    asked["nova.config"] = Status.MISSING
    assert look(db1=asked).findings == {}
