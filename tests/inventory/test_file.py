"""The inventory file, and what it says about mistakes in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackdoctor.errors import UsageError
from stackdoctor.inventory.file import read_inventory

FULL = """\
nodes:
  - name: controller
    address: 192.0.2.10
    port: 2222
    user: heat-admin
    key: keys/one
    jump: user@bastion:2222
    roles: [controller, network]
  - name: compute1
defaults: {user: root, key: ~/.ssh/id_ed25519}
known_hosts: known
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "cloud.yaml"
    path.write_text(text)
    return path


def test_every_key_of_a_node_is_read_and_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    inventory = read_inventory(written(tmp_path, FULL))
    controller = inventory.nodes[0]
    assert (controller.name, controller.address, controller.port) == ("controller", "192.0.2.10", 2222)
    assert (controller.user, controller.jump) == ("heat-admin", "user@bastion:2222")
    assert controller.key == str(tmp_path / "keys/one")
    assert controller.roles == {"controller", "network"}
    assert inventory.known_hosts == str(tmp_path / "known")


def test_defaults_fill_what_a_node_does_not_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/op")
    compute = read_inventory(written(tmp_path, FULL)).nodes[1]
    assert (compute.user, compute.key) == ("root", "/home/op/.ssh/id_ed25519")


def test_a_node_without_address_is_reached_by_its_name(tmp_path: Path) -> None:
    assert read_inventory(written(tmp_path, "nodes: [{name: compute1}]")).nodes[0].address == "compute1"


def test_an_empty_address_is_this_machine(tmp_path: Path) -> None:
    assert read_inventory(written(tmp_path, 'nodes: [{name: here, address: ""}]')).nodes[0].address == ""


def test_nodes_may_be_written_as_on_the_command_line(tmp_path: Path) -> None:
    text = "nodes: [controller, root@192.0.2.20:2222]\ndefaults: {user: op, port: 2200}\n"
    nodes = read_inventory(written(tmp_path, text)).nodes
    assert [(n.name, n.user, n.port, n.named) for n in nodes] == [
        ("controller", "op", 2200, True),
        ("192.0.2.20", "root", 2222, False),
    ]


def test_nodes_may_be_a_mapping_of_names(tmp_path: Path) -> None:
    text = "nodes:\n  controller: {address: 192.0.2.10}\n  compute1:\n"
    nodes = read_inventory(written(tmp_path, text)).nodes
    assert [(n.name, n.address) for n in nodes] == [("controller", "192.0.2.10"), ("compute1", "compute1")]


def test_a_node_with_an_ip_address_and_no_name_awaits_its_own_name(tmp_path: Path) -> None:
    node = read_inventory(written(tmp_path, "nodes: [{address: 192.0.2.10}]")).nodes[0]
    assert (node.name, node.named) == ("192.0.2.10", False)


def test_merge_keys_work_and_the_node_s_own_value_wins(tmp_path: Path) -> None:
    text = """\
nodes:
  a: &a {user: root, port: 2200}
  b: {<<: *a, user: op}
"""
    node = read_inventory(written(tmp_path, text)).nodes[1]
    assert (node.user, node.port) == ("op", 2200)


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("nodes: [{name: a}\n", ":2:1", "expected"),
        ("nodes:\n\t- name: a\n", ":2:1", "cannot start any token"),
        ("nodes:\n  - name: a\n    adress: b\n", ":3:5", "did you mean 'address'?"),
        ("node: []\n", ":1:1", "did you mean 'nodes'?"),
        ("defaults: {roles: [a]}\nnodes: [{name: a}]\n", ":1:12", "known are port, user, key, jump"),
        ("nodes:\n  - name: a\n  - name: a\n", ":3:11", "also in line 2"),
        ("nodes:\n  a: {}\n  a: {}\n", ":3:3", "also in line 2"),
        ("nodes: [{name: a, port: 1, port: 2}]\n", ":1:28", "also in line 1"),
        ("nodes: [{name: a, port: 99999}]\n", ":1:25", "from 1 to 65535"),
        ("nodes: [{name: a, port: ssh}]\n", ":1:25", "from 1 to 65535"),
        ('nodes: [{name: a, port: "22"}]\n', ":1:25", "from 1 to 65535"),
        ("nodes: [{name: 10}]\n", ":1:16", 'in quotes, "10"'),
        ("nodes: [{name: a, user: [root]}]\n", ":1:25", "user must be text"),
        ("nodes: [{name: a, roles: compute}]\n", ":1:26", "roles must be a list"),
        ("nodes: [{name: a, jump: 'b:x'}]\n", ":1:25", "port 'x'"),
        ("nodes: [[a]]\n", ":1:9", "a node must be a mapping"),
        ("nodes: [{user: root}]\n", ":1:9", "needs a `name` or an `address`"),
        ("nodes: [{name: ../../etc}]\n", ":1:16", "cannot be called"),
        ("nodes: [{name: 'a b', address: c}]\n", ":1:16", "cannot be called"),
        ("nodes: [{name: a, address: 'b c'}]\n", ":1:28", "cannot be an address"),
        ("nodes: {a: {name: b}}\n", ":1:19", "already the key"),
        ("nodes: ['a,b']\n", ":1:9", "a node must be one address"),
        ("nodes: [{name: a, password: x}]\n", ":1:19", "would be a secret"),
        ("nodes: [{name: a, roles: [api]}]\n", ":1:26", "no host's"),
        ("nodes: text\n", ":1:8", "must be a list"),
        ("nodes: []\n", ":1:8", "names no node"),
        ("[]\n", ":1:1", "must be a mapping"),
        ("known_hosts: x\n", ":1:1", "no list `nodes:`"),
        ("a: 1\n---\nb: 2\n", ":2:1", "another document"),
        ("nodes: [!!python/object/apply:os.system [x]]\n", ":1:9", "must be a mapping"),
    ],
)
def test_a_mistake_is_named_with_line_and_column(tmp_path: Path, text: str, place: str, problem: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_inventory(path)
    assert str(caught.value).startswith(f"{path}{place}: ")
    assert problem in str(caught.value)


def test_aliases_that_expand_to_millions_are_refused(tmp_path: Path) -> None:
    bomb = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n" + "".join(
        f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]\n" for n in range(1, 10)
    )
    with pytest.raises(UsageError, match="expand to more than"):
        read_inventory(written(tmp_path, bomb + "nodes: *x9\n"))


def test_an_alias_to_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="part of"):
        read_inventory(written(tmp_path, "nodes: &n [*n]\n"))


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nested too deeply"):
        read_inventory(written(tmp_path, "nodes: " + "[" * 100_000))


def test_an_empty_file_and_one_that_is_not_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is empty"):
        read_inventory(written(tmp_path, "# nothing\n"))
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"nodes: \xff\xfe\x00")
    with pytest.raises(UsageError, match="not YAML"):
        read_inventory(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml: No such file"):
        read_inventory(tmp_path / "none.yaml")
