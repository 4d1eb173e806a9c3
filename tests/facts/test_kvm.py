import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.kvm import DEVICE, MODULES, PROCESSOR, Kvm
from stackdoctor.model import Result, Status

THERE = "crw-rw-rw- 1 root root 10, 232 Nov 22 21:43 /dev/kvm\n"
GONE = "ls: cannot access '/dev/kvm': No such file or directory\n"
PLAIN = "flags\t\t: fpu vme de pse tsc msr hypervisor lahf_lm cmp_legacy abm sse4a\n"
MODULE = "kvm_amd 208896 8 - Live 0x0000000000000000\nkvm 1372160 1 kvm_amd, Live 0x0000000000000000\n"


def test_device_processor_and_module_are_read(answer, answered_node) -> None:
    modules = answer(MODULES, MODULE, "/proc/modules")
    found = Kvm.parse(answered_node(answer(DEVICE, THERE), answer(PROCESSOR, PLAIN + " svm"), modules))
    assert (found.device, found.hardware, found.module) == (True, "yes", "kvm_amd")
    gone = answer(DEVICE, exit=2, error=GONE)
    found = Kvm.parse(answered_node(gone, answer(PROCESSOR, PLAIN)))
    assert (found.device, found.hardware, found.module) == (False, "no", "")
    assert found.evidence.line == GONE.strip()


def test_other_processors_and_no_answer_are_unknown(answer, answered_node) -> None:
    gone = answer(DEVICE, exit=2, error=GONE)
    assert Kvm.parse(answered_node(gone, answer(PROCESSOR, exit=1))).hardware == "unknown"
    with pytest.raises(CouldNotCheck, match="Permission"):
        Kvm.parse(answered_node(answer(DEVICE, exit=2, error="ls: cannot access '/dev/kvm': Permission denied")))


def test_where_nova_is_not_it_does_not_apply(answered_node) -> None:
    refused = Result(DEVICE.id, "ls -l /dev/kvm", status=Status.NOT_RUN, reason="nova.config did not succeed")
    with pytest.raises(NotApplicable):
        Kvm.parse(answered_node(refused))
