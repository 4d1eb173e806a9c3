"""What real ssh configuration files say about a node."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from pathlib import Path

import pytest

from stackdoctor.errors import UsageError
from stackdoctor.inventory.sshblocks import read_blocks
from stackdoctor.inventory.sshconfig import Login, resolve
from stackdoctor.model import Node


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, so that the user's real configuration says nothing here."""
    (tmp_path / ".ssh").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path


def configured(home: Path, text: str) -> Path:
    path = home / ".ssh" / "config"
    path.write_text(text)
    return path


def login(text: str, node: Node, home: Path) -> Login:
    return resolve(node, read_blocks(configured(home, text)))


def test_host_name_port_user_and_keys_come_from_the_configuration(home: Path) -> None:
    text = """\
Host ctl
    HostName 192.0.2.10
    Port 2222
    User heat-admin
    IdentityFile ~/.ssh/one
    IdentityFile ~/.ssh/two
    IdentitiesOnly yes
    UserKnownHostsFile ~/.ssh/cloud_hosts
    HostKeyAlias controller
"""
    found = login(text, Node("ctl", "ctl"), home)
    assert (found.host, found.port, found.user, found.alias) == ("192.0.2.10", 2222, "heat-admin", "controller")
    assert found.keys == (f"{home}/.ssh/one", f"{home}/.ssh/two")
    assert found.only_keys
    assert found.known_hosts[0] == f"{home}/.ssh/cloud_hosts"


def test_what_the_node_says_itself_wins(home: Path) -> None:
    text = "Host *\n Port 1\n User a\n IdentityFile ~/a\n ProxyJump a\n ProxyCommand nc %h %p\n"
    found = login(text, Node("n", "n", port=2, user="b", key="/b", jump="none"), home)
    assert (found.port, found.user, found.keys, found.jump) == (2, "b", ("/b",), None)
    assert found.proxy_command == ""


def test_a_proxy_command_sees_the_port_that_the_node_says(home: Path) -> None:
    found = login("Host *\n Port 1\n ProxyCommand nc %h %p\n", Node("n", "n", port=2), home)
    assert found.proxy_command == "nc n 2"


def test_without_a_configuration_ssh_s_defaults_hold(home: Path) -> None:
    (home / ".ssh" / "id_rsa").write_text("a key")
    found = resolve(Node("n", "n"), read_blocks(home / "nothing"))
    assert found == Login(
        host="n",
        port=22,
        user=getpass.getuser(),
        keys=(f"{home}/.ssh/id_rsa",),
        known_hosts=(f"{home}/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts"),
    )


def test_jump_hosts_are_resolved_by_the_configuration_too(home: Path) -> None:
    text = """\
Host compute*
    ProxyJump bastion
Host bastion
    HostName bastion.example.org
    User gate
    ProxyJump outer:2200
"""
    found = login(text, Node("compute1", "compute1"), home)
    assert found.jump is not None
    assert (found.jump.host, found.jump.user) == ("bastion.example.org", "gate")
    assert found.jump.jump is not None
    assert (found.jump.jump.host, found.jump.jump.port, found.jump.jump.jump) == ("outer", 2200, None)


def test_a_chain_is_walked_from_its_first_hop_on(home: Path) -> None:
    text = "Host b\n ProxyJump elsewhere\n"
    found = login(text, Node("n", "n", jump="x@a:1,b"), home)
    assert found.jump is not None
    assert found.jump.host == "b"
    assert found.jump.jump is not None
    assert (found.jump.jump.host, found.jump.jump.user, found.jump.jump.port) == ("a", "x", 1)
    assert found.jump.jump.jump is None


def test_jump_hosts_that_go_round_are_refused(home: Path) -> None:
    with pytest.raises(UsageError, match="more than 8 jump hosts"):
        login("Host a\n ProxyJump b\nHost b\n ProxyJump a\n", Node("a", "a"), home)


def test_included_files_stand_where_they_are_included(home: Path) -> None:
    (home / ".ssh" / "conf.d").mkdir()
    (home / ".ssh" / "conf.d" / "cloud").write_text("Host ctl\n Port 2222\n")
    found = login("Host ctl\n User one\nInclude conf.d/*\n IdentityFile /k\n", Node("ctl", "ctl"), home)
    assert (found.user, found.port, found.keys) == ("one", 2222, ("/k",))
    other = login("Host ctl\n User one\nInclude conf.d/*\n IdentityFile /k\n", Node("n", "n"), home)
    assert (other.port, other.keys) == (22, ())


def test_a_file_that_includes_itself_is_refused(home: Path) -> None:
    with pytest.raises(UsageError, match="deeper than 16"):
        login("Include config\n", Node("n", "n"), home)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", "/run/env.sock"),
        ("IdentityAgent none", ""),
        ("IdentityAgent SSH_AUTH_SOCK", "/run/env.sock"),
        ("IdentityAgent $OTHER", "/run/other.sock"),
        ("IdentityAgent ~/agent.sock", "{home}/agent.sock"),
    ],
)
def test_the_agent_is_the_one_of_the_environment_unless_said_otherwise(
    home: Path, monkeypatch: pytest.MonkeyPatch, said: str, expected: str
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/env.sock")
    monkeypatch.setenv("OTHER", "/run/other.sock")
    assert login(said, Node("n", "n"), home).agent == expected.format(home=home)


@pytest.mark.parametrize("text", ["Host *\n Port ssh\n", "Port 70000\n", "what is this\n\x00!!\n", "Match nonsense\n"])
def test_a_configuration_that_cannot_be_understood_is_named(home: Path, text: str) -> None:
    with pytest.raises(UsageError, match="config"):
        login(text, Node("n", "n"), home)


@pytest.mark.parametrize(
    "criteria", ["exec 'touch {}'", "host n exec 'touch {}'", "tagged x", "localnetwork 10.0.0.0/8", "host"]
)
def test_what_a_match_asks_for_and_is_not_followed_is_refused_and_not_run(home: Path, criteria: str) -> None:
    with pytest.raises(UsageError, match="is not followed"):
        login(f"Match {criteria.format(home / 'ran')}\n Port 3\n", Node("n", "n"), home)
    assert not (home / "ran").exists()


def test_a_user_who_could_smuggle_lines_into_the_configuration_is_refused(home: Path) -> None:
    with pytest.raises(UsageError, match="cannot be a user's name"):
        login("", Node("n", "n", user="root\nProxyCommand touch /tmp/x"), home)


LARGE = """\
Include\tconf.d/tabbed
Include "conf.d/quo ted"
include=conf.d/equal
Host web* !web2
  Port 2201
  User webuser
Host inside
  Include conf.d/inner
  Port 2207
Host a b
\tHostName=%h.example.com
Match host m1
  User matched
Match originalhost m2 user zed
  Port 2299
  Include conf.d/inner
Host two
  ProxyJump one:2200,op@mid
Host tok
  ProxyCommand nc -X 5 %h %p
Host nj
  ProxyJump none
Host * !bastion !one !mid
  ProxyJump bastion
  User default
"""
INCLUDED = {
    "tabbed": "Host tabbed\n Port 2202\n",
    "quo ted": "Host quoted\n Port 2203\n",
    "equal": "Host equal\n Port 2204\n",
    "inner": "Compression yes\nHost other m2\n HostName 192.0.2.8\nMatch all\n ConnectTimeout 3\n",
}


@pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh (openssh-client) is not here")
@pytest.mark.parametrize(
    "asked",
    [
        "tabbed",
        "quoted",
        "equal",
        "web1",
        "web2",
        "inside",
        "other",
        "a",
        "m1",
        "m2",
        "zed@m2",
        "two",
        "tok",
        "nj",
        "x",
    ],
)
def test_ssh_itself_understands_the_same(home: Path, asked: str) -> None:
    (home / ".ssh" / "conf.d").mkdir()
    for name, text in INCLUDED.items():
        (home / ".ssh" / "conf.d" / name).write_text(text)
    # ssh takes ~ from the password database: what it includes is named in full
    text = LARGE.replace("conf.d/", f"{home}/.ssh/conf.d/")
    path = configured(home, text)
    printed = subprocess.run(["ssh", "-F", str(path), "-G", asked], capture_output=True, text=True, check=True).stdout
    said = dict(line.partition(" ")[::2] for line in printed.splitlines())
    user, _, host = asked.rpartition("@")
    found = resolve(Node(host, host, user=user), read_blocks(path))
    assert (found.host, str(found.port), found.user) == (said["hostname"], said["port"], said["user"])
    assert found.proxy_command.replace(host, "%h").replace("22", "%p") == said.get("proxycommand", "")
    hops, jump = [], found.jump
    while jump is not None:
        hops.insert(0, (f"{jump.user}@" if jump.user == "op" else "") + jump.host + (":2200" * (jump.port == 2200)))
        jump = jump.jump
    assert ",".join(hops) == said.get("proxyjump", "")


def test_what_is_said_of_other_hosts_by_name_is_not_gone_through(home: Path) -> None:
    text = "Port 1\nHost a b\n Port 2\nHost b\n Port 3\nHost c\n Port 4\nHost ?\n Port 5\nMatch host c\n Port 6\n"
    blocks = read_blocks(configured(home, text))
    first, last = ["Port 1"], ["Host ?", " Port 5", "Match host c", " Port 6"]
    assert list(blocks.of("b")) == [*first, "Host a b", " Port 2", "Host b", " Port 3", *last]
    assert list(blocks.of("d")) == [*first, *last]


def test_a_host_that_gets_another_name_is_held_against_all_blocks(home: Path) -> None:
    text = "CanonicalizeHostname yes\nCanonicalDomains example.com\nHost localhost\n User other\n"
    assert "Host localhost" in read_blocks(configured(home, text)).of("n")
