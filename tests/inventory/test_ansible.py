"""Inventories as the deployment tools lay them out, and the same ones as Ansible itself reads them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from stackdoctor.errors import UsageError
from stackdoctor.inventory.file import Inventory, read_inventory
from stackdoctor.model import Node

SAMPLES = Path(__file__).parent / "samples"
KOLLA = SAMPLES / "kolla" / "multinode"
CONTROL = frozenset(("controller", "broker", "database"))
COMPUTE = frozenset(("compute",))


def written(folder: Path, text: str, name: str = "hosts") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def by_name(inventory: Inventory) -> dict[str, Node]:
    return {node.name: node for node in inventory.nodes}


def test_kolla_s_multinode_gives_machines_with_logins_and_roles() -> None:
    op = {"user": "op", "key": "/etc/kolla/id one"}
    assert read_inventory(KOLLA).nodes == (
        Node("control01", "control01", user="kolla", roles=CONTROL),
        Node("control02", "192.0.2.99", user="kolla", roles=CONTROL),
        Node("control03", "control03", user="kolla", roles=CONTROL),
        Node("network01", "192.0.2.31", 2222, "netop", roles=frozenset(("network", "monitoring"))),
        Node("network02", "192.0.2.32", user="netop", roles=frozenset(("network",))),
        *(Node(f"compute{n}", f"compute{n}", roles=COMPUTE, **op) for n in ("08", "09", "10")),
        *(Node(f"10.0.0.{n}", f"10.0.0.{n}", user="from-all", roles=COMPUTE, named=False) for n in (1, 2)),
        Node("2001:db8::5", "2001:db8::5", 2200, "from-all", roles=COMPUTE, named=False),
        *(Node(f"edge-{c}", f"edge-{c}", 2022, "from-all", roles=COMPUTE) for c in "ab"),
        Node(
            *("storage01", "storage01", 22, "from-all"),
            jump="stack@gate.example.com:2222",
            roles=frozenset(("storage",)),
        ),
    )


def test_kolla_s_all_in_one_is_this_machine() -> None:
    (node,) = read_inventory(SAMPLES / "kolla-aio" / "all-in-one").nodes
    assert (node.name, node.address, node.named) == ("localhost", "", False)
    assert node.roles == {"controller", "network", "compute", "storage", "monitoring", "deployment", "broker"}


@pytest.mark.parametrize("name", ["kolla.json", "kolla.yaml"])
def test_what_ansible_inventory_exports_gives_the_same_nodes(name: str) -> None:
    assert by_name(read_inventory(SAMPLES / "exported" / name)) == by_name(read_inventory(KOLLA))


def test_tripleo_s_inventory_gives_the_overcloud() -> None:
    inventory = read_inventory(SAMPLES / "tripleo" / "tripleo-ansible-inventory.yaml")
    controller = frozenset(("controller", "database"))
    assert inventory.nodes == (
        Node("overcloud-controller-0", "192.0.2.12", user="tripleo-admin", roles=controller),
        Node("overcloud-controller-1", "192.0.2.13", user="tripleo-admin", roles=controller),
        Node(
            *("overcloud-novacompute-0", "overcloud-novacompute-0.ctlplane", 22, "heat-admin"),
            jump="stack@192.0.2.1",
            roles=COMPUTE,
        ),
        Node("overcloud-cephstorage-0", "192.0.2.20", user="tripleo-admin", roles=frozenset(("CephStorage",))),
    )
    assert inventory.notes == (
        "the passwords of 1 hosts (overcloud-novacompute-0) are not used: log in with keys or an agent",
    )


def test_openstack_ansible_s_configuration_is_read_with_its_conf_d() -> None:
    nodes = by_name(read_inventory(SAMPLES / "osa" / "openstack_user_config.yml"))
    assert {name: node.address for name, node in nodes.items()} == {
        "infra1": "172.29.236.11",
        "infra2": "172.29.236.12",
        "log1": "172.29.236.14",
        "compute1": "172.29.236.16",
        "compute2": "172.29.236.17",
        "storage1": "172.29.236.18",
    }
    assert nodes["infra1"].roles == {"broker", "database", "controller", "network"}
    assert (nodes["compute1"].roles, nodes["storage1"].roles) == ({"compute"}, {"storage"})


def test_of_openstack_ansible_s_inventory_the_containers_are_left_out_and_said() -> None:
    inventory = read_inventory(SAMPLES / "osa" / "openstack_inventory.json")
    assert {n.name: (n.address, n.roles) for n in inventory.nodes} == {
        "infra1": ("172.29.236.11", {"controller", "broker", "database"}),
        "compute1": ("172.29.236.16", {"compute"}),
    }
    assert "2 LXC containers" in inventory.notes[0]


@pytest.mark.skipif(shutil.which("ansible-inventory") is None, reason="ansible-inventory (ansible-core) is not here")
@pytest.mark.parametrize(
    "sample",
    ["kolla/multinode", "kolla-aio/all-in-one", "tripleo/tripleo-ansible-inventory.yaml", "exported/kolla.yaml"],
)
def test_ansible_itself_reads_the_same(sample: str, tmp_path: Path) -> None:
    asked = ["ansible-inventory", "-i", str(SAMPLES / sample), "--list"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    variables = json.loads(said)["_meta"]["hostvars"]
    nodes = read_inventory(SAMPLES / sample).nodes
    for node in nodes:
        own = variables[node.name]
        if own.get("ansible_connection") == "local":
            continue
        if "{{" not in own.get("ansible_host", ""):
            assert node.address == own.get("ansible_host", node.name)
        assert node.user == own.get("ansible_ssh_user", own.get("ansible_user", ""))
        assert node.port == int(own.get("ansible_port", 22))
        assert node.key == own.get("ansible_ssh_private_key_file", "")
    assert {n.name for n in nodes} == set(variables) - {"undercloud"} - ({"localhost"} if len(nodes) > 1 else set())
    assert by_name(read_inventory(written(tmp_path, said, "list.json"))) == by_name(read_inventory(SAMPLES / sample))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]\nx\n[b:childs]\n", ":3: [b:childs] is of no kind"),
        ("[a]\nx\n[a:children]\nnowhere\n", ":4: there is no group [nowhere]"),
        ("[a:vars]\nx=1\n", ":1: there is no group [a]"),
        ("[a]\nx\n[a:vars]\nansible_user root\n", ":4: 'ansible_user root' sets no variable"),
        ("[a]\nx ansible_user\n", ":2: 'ansible_user' sets no variable"),
        ("[a]\nx 'y\n", ":2:"),
        ("[a]\nx[1:\n", ":2: 'x[1:' has a bracket that is not closed"),
        ("[a]\nx[01:002]\n", "the same number of digits"),
        ("[a]\nx[3:1]\n", "ends before it begins"),
        ("[a]\nx[1:999999999]\n", "more than 10000 hosts"),
        ("[a]\nx[1:999]y[1:999]\n", "more than 10000 hosts"),
        ("[a]\nx[1:3:0]\n", "is not a number above 0"),
        ("[a]\nx[one:two]\n", "neither numbers nor letters"),
        ("[a:children]\nb\n[b:children]\na\n", "is below itself: a > b > a"),
        ("[a]\nx ansible_port=ssh\n", "ansible_port of x: 'ssh' is not a number"),
        ("[a]\nx ansible_host='b c'\n", "ansible_host of x: 'b c' cannot be an address"),
        ("[a]\nx ansible_host='{{ lookup(1) }}'\n", "only Ansible can fill in"),
        ("[a]\nx ansible_ssh_common_args='-o ProxyCommand=\"nc %h %p\"'\n", "is not run: say it in ~/.ssh/config"),
        ("[a]\nx ansible_ssh_common_args='-F other'\n", "-F other is not followed"),
        ("[a]\nx ansible_ssh_extra_args='-o RemoteCommand=sh'\n", "RemoteCommand is not followed"),
        ("[a]\n", "names no host that can be looked at"),
        ("[a]\nx ansible_connection=winrm\n", "ansible_connection=winrm is not SSH"),
        ("[a]\n../x\n", "a node cannot be called '../x'"),
        ("[a b]\nx\n[c]\n", ":1: [a b] is no name of a group"),
        ("plugin: openstack.cloud.openstack\n", "inventory plugin, which is not run: `ansible-inventory -i"),
        ("#!/usr/bin/env python3\nprint()\n", "is a program (a dynamic inventory), and is not run"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162\n", "is encrypted with ansible-vault"),
        ('{"all": {"hosts": 3}}', "hosts of the group all must be a mapping"),
        ('{"a": 1}', "neither an inventory with `nodes`"),
        ("all:\n  hosts: {a: 1}\n", "the host a of the group all must be a mapping"),
        ("all:\n  hosts:\n    a: {ansible_host: !vault x}\n", "ansible_host of a: is vaulted"),
        ("all:\n  hosts:\n    a: {ansible_host: !other x}\n", ":3:"),
        ("all: {children: {a: {children: {a: {}}}}}", "is below itself"),
        ("cidr_networks: {}\ncompute_hosts: {c: {}}\n", "the host c of compute_hosts has no `ip`"),
        ("hosts: [a]\n", "the inventory has no key 'hosts'"),
    ],
)
def test_what_cannot_be_taken_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_inventory(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_a_program_is_never_run(tmp_path: Path) -> None:
    path = written(tmp_path, f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    path.chmod(0o755)
    with pytest.raises(UsageError, match="--list -y > inventory"):
        read_inventory(path)
    assert not (tmp_path / "ran").exists()


def test_a_directory_and_toml_are_refused_with_the_way_out(tmp_path: Path) -> None:
    for path in (tmp_path, written(tmp_path, "[a.hosts]\nb={}\n", "x.toml")):
        with pytest.raises(UsageError, match="ansible-inventory -i"):
            read_inventory(path)


def test_hosts_without_any_group_are_an_inventory_too(tmp_path: Path) -> None:
    nodes = read_inventory(written(tmp_path, "controller\ncompute[1:2] ansible_user=op # ours\n")).nodes
    assert [(n.name, n.user, n.roles) for n in nodes] == [
        ("controller", "", frozenset()),
        ("compute1", "op", frozenset()),
        ("compute2", "op", frozenset()),
    ]


def test_a_group_called_api_gives_no_role_of_the_apis(tmp_path: Path) -> None:
    (node,) = read_inventory(written(tmp_path, "[api]\nx\n")).nodes
    assert node.roles == frozenset()


def test_the_way_over_a_jump_host_is_taken_from_the_arguments_of_ssh(tmp_path: Path) -> None:
    ways = {
        "-J stack@gate": ("stack@gate", 22, "", ""),
        '-o "ProxyCommand ssh -p 2222 -l stack -W %h:%p gate"': ("stack@gate:2222", 22, "", ""),
        "-C -qA -o ControlMaster=auto -oPort=2200 -l op -i /k": ("", 2200, "op", "/k"),
        '-o ProxyCommand=\\"/usr/bin/ssh gate nc %h %p\\"': ("gate", 22, "", ""),
    }
    for arguments, expected in ways.items():
        path = written(tmp_path, f"[a]\nx ansible_ssh_common_args='{arguments}'\n".replace("\\", ""))
        (node,) = read_inventory(path).nodes
        assert (node.jump, node.port, node.user, node.key) == expected


def test_the_key_of_a_proxy_command_is_said_not_to_be_taken(tmp_path: Path) -> None:
    path = written(tmp_path, "[a]\nx ansible_ssh_common_args='-o ProxyCommand=\"ssh -i /k -W %h:%p gate\"'\n")
    assert "the key /k for gate is not taken" in read_inventory(path).notes[0]


def test_an_encrypted_file_of_variables_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    assert read_inventory(written(tmp_path, "[a]\nx\n")).nodes[0].name == "x"
