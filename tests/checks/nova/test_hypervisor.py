from stackdoctor.model import Status

GONE = (
    1,
    "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/var/run/libvirt/libvirt-sock'\n",
)
LIST = " Id   Name                State\n-------\n\n"
COMPUTE = "/usr/bin/python3 /usr/bin/nova-compute --config-file /etc/nova/nova.conf"


def node(processes: str, listed: object) -> dict[str, object]:
    unit = "Id=nova-compute.service\nLoadState=loaded\nActiveState={0}\nSubState=running\nUnitFileState=disabled\n"
    active = "active" if "nova-compute" in processes else "inactive"
    units = {
        "services.systemd": unit.format(active),
        "services.docker": Status.MISSING,
        "services.podman": Status.MISSING,
    }
    return {**units, "processes": processes, "libvirt.list": listed}


def test_a_compute_host_whose_libvirt_does_not_answer_is_broken(look, processes) -> None:
    seen = look(compute1=node(processes(COMPUTE), GONE))
    assert seen.findings["libvirt.down"].keys["host"] == "compute1"
    assert seen.causes == [("libvirt-down", "compute1")]


def test_a_host_with_virsh_only_and_one_that_answers_are_not(look, processes) -> None:
    assert look(controller=node(processes(), GONE)).findings == {}
    assert look(compute1=node(processes(COMPUTE), LIST)).findings == {}


def test_a_libvirtd_that_is_stopped_by_a_signal_is_the_cause(look, processes) -> None:
    frozen = processes("/usr/sbin/libvirtd", stat="Tsl")
    seen = look(compute1={"processes": frozen, "libvirt.list": Status.TIMED_OUT})
    assert seen.causes == [("libvirt-down", "compute1")]


def test_a_nova_compute_for_bare_metal_needs_no_libvirt(look, processes) -> None:
    config = {"nova.config /etc/nova/nova.conf": "[DEFAULT]\ncompute_driver = ironic.IronicDriver\n"}
    assert "libvirt.down" not in look(controller=node(processes(COMPUTE), GONE) | config).findings
