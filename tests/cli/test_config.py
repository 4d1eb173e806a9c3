"""The configuration: what it sets, what the command line sets over it, what is wrong, and whom it is believed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from stackdoctor.cli.main import COMMANDS, stackdoctor
from stackdoctor.cli.options import Setting
from stackdoctor.cli.settings import BESIDE, KEYS, read_settings
from stackdoctor.cli.settings_file import options_by_key
from stackdoctor.cli.trust import distrusted
from stackdoctor.errors import UsageError

Run = Callable[..., subprocess.CompletedProcess[str]]
DOC = Path(__file__).parent.parent.parent / "docs" / "configuration.md"
REQUEST = "req-bc2d9f0e-2fac-422d-9a66-656f75d7aaeb"
CHECK = '''
from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.host import Memory
open({ran!r}, "w")

@check("mine.own.thing", severity=Severity.INFO)
def thing(memory: Memory):
    """A thing."""
    yield Finding("x", "x")
'''


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own configuration."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    folder = tmp_path / "xdg" / "stackdoctor"
    folder.mkdir(parents=True)
    return folder


def written(folder: Path, text: str, name: str = "stackdoctor.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def with_check(folder: Path) -> Path:
    """A folder with a check that leaves a trace when it is loaded; returns the trace."""
    (folder / "mine").mkdir()
    (folder / "mine" / "mine.py").write_text(CHECK.format(ran=str(folder / "ran")))
    return folder / "ran"


def shown(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[str, str]]:
    """What `config show` says: value and origin by key."""
    assert done.returncode == 0, done.stderr
    lines = [line.split(None, 1) for line in done.stdout.split("\n\n", 1)[1].splitlines()]
    return {key: (rest.rsplit(None, 1)[0], rest.rsplit(None, 1)[-1]) for key, rest in lines}


def test_this_folder_s_file_counts_over_the_user_s_own(run: Run, home: Path, tmp_path: Path) -> None:
    own = written(home, "since: 1h\nparallel: 7\nchecks: []\n", "config.yaml")
    written(tmp_path, "since: 2h\nfail_on: warning\n")
    found = shown(run("config", "show"))
    assert found["since"] == ("2h", "stackdoctor.yaml:1")
    assert found["parallel"] == ("7", f"{own}:2")
    assert found["fail_on"] == ("warning", "stackdoctor.yaml:2")
    assert found["timeout"] == ("60s", "default")


def test_the_command_line_counts_over_both_and_the_environment_too(run: Run, home: Path, tmp_path: Path) -> None:
    written(tmp_path, "timeout: 11s\nnodes: [192.0.2.1]\nos_cloud: mine\n")
    assert "within 11 s" in run("plan").stdout
    assert "within 12 s" in run("plan", "--timeout", "12s").stdout
    assert shown(run("config", "show", OS_CLOUD="other"))["os_cloud"] == ("other", "$OS_CLOUD")


def test_nodes_may_stand_in_the_configuration_with_their_defaults(run: Run, home: Path, tmp_path: Path) -> None:
    written(tmp_path, "nodes: [a, root@b:2222, {name: c, address: 192.0.2.3}]\ndefaults: {user: op}\nsince: 1h\n")
    assert run("plan").stdout.splitlines()[:3] == ["a: ssh op@a", "b: ssh root@b port 2222", "c: ssh op@192.0.2.3"]


def test_nodes_named_on_the_command_line_replace_the_configured_ones(run: Run, home: Path, tmp_path: Path) -> None:
    written(home, "inventory: far.yaml\n", "config.yaml")
    written(home, "nodes: [far]\n", "far.yaml")
    assert run("plan").stdout.startswith("far: ssh far\n")
    assert run("plan", "--nodes", "near").stdout.startswith("near: ssh near\n")
    written(tmp_path, "nodes: [here]\n")
    assert run("plan").stdout.startswith("here: ssh here\n")
    assert run("plan", "--config", "x").returncode == 2
    assert run("--config", os.devnull, "plan").stdout.startswith("localhost: this host")


def test_what_is_configured_to_be_ignored_is_silenced(run: Run, home: Path, tmp_path: Path) -> None:
    ignore = "ignore:\n  - {cause: rpc-consumer-hung, reason: known, until: 2099-01-01}\n"
    assert "rpc-consumer-hung" in run("diagnose", "--demo", "-q").stdout.split("Silenced")[0]
    written(tmp_path, ignore)
    assert "rpc-consumer-hung" not in run("diagnose", "--demo", "-q").stdout.split("Silenced")[0]


def test_with_a_snapshot_the_configured_nodes_do_not_disturb(run: Run, home: Path, tmp_path: Path) -> None:
    written(tmp_path, "nodes: [a]\nfrom_cloud: true\n")
    done = run("path", "vm1", "--to", "dhcp", "--from", "nowhere")
    assert "there is no snapshot at nowhere" in done.stderr
    assert "there is no snapshot at nowhere" in run("diagnose", "--from", "nowhere").stderr
    assert "there is no snapshot at nowhere" in run("triage", "--request", REQUEST, "--from", "nowhere").stderr
    (tmp_path / "stackdoctor.yaml").write_text("inventory: far.yaml\n")
    assert "there is no snapshot at nowhere" in run("trace", "request", REQUEST, "--from", "nowhere").stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sinse: 2h\n", ":1:1: a configuration has no key 'sinse': did you mean 'since'?"),
        ("\nsince: soon\n", ":2:8: `since`: 'soon' is not a length of time"),
        ("fail_on: bad\n", ":1:10: `fail_on`: 'bad' is not one of"),
        ("parallel: many\n", ":1:11: `parallel`: 'many' is not a valid integer"),
        ("parallel: 0\n", ":1:11: `parallel`: 0 is not in the range"),
        ("full: 1\n", ":1:7: `full` must be true or false"),
        ("full: 'yes'\n", ":1:7: `full` must be true or false"),
        ("timeout: [1]\n", ":1:10: `timeout` must be a value"),
        ("timeout:\n", ":1:9: `timeout` must be a value"),
        ("checks: [nowhere]\n", ":1:10: `checks`: there is no such directory"),
        ("password: x\n", ":1:1: 'password' would be a secret"),
        ("os_token: x\n", ":1:1: 'os_token' would be a secret"),
        ("nodes: [{name: a, sudo_password: x}]\n", ":1:19: 'sudo_password' would be a secret"),
        ("nodes: [a]\ninventory: x\n", "`inventory` and `nodes` are both set"),
        ("defaults: {user: x}\n", "`defaults` are of `nodes`"),
        ("ignore: [{finding: x}]\n", ":1:10: an entry of ignore needs a `reason`"),
        ("since: 1h\nsince: 2h\n", ":2:1: 'since' is also in line 1"),
        ("[since]\n", ":1:1: a configuration must be a mapping"),
        ("{since\n", ":2:1:"),
    ],
)
def test_a_mistake_is_said_with_its_line_and_status_2(
    run: Run, home: Path, text: str, said: str, tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_settings((path,))
    assert said in str(caught.value)


def test_check_says_every_mistake_and_a_run_the_first_one(run: Run, home: Path, tmp_path: Path) -> None:
    written(tmp_path, "sinse: 2h\nparallel: many\n")
    done = run("config", "check")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 2)
    done = run("plan")
    assert done.returncode == 2
    assert "(and 1 more: `stackdoctor config check`)" in done.stderr
    assert run("plan", "--help").returncode == 0
    assert run("config", "check", "nowhere.yaml").returncode == 2


def test_check_reads_the_inventory_and_looks_up_what_is_ignored(run: Run, home: Path, tmp_path: Path) -> None:
    written(tmp_path, "inventory: none.yaml\n")
    assert "cannot read the inventory" in run("config", "check").stderr
    written(tmp_path, "ignore: [{finding: no.such.thing, reason: x, until: 2099-01-01}]\n")
    done = run("config", "check")
    assert done.returncode == 2
    assert "no.such.thing" in done.stderr


def test_checks_of_a_folder_that_is_the_user_s_alone_are_loaded(run: Run, home: Path, tmp_path: Path) -> None:
    ran = with_check(tmp_path)
    written(tmp_path, "checks: mine\n")
    assert "mine.own.thing" in run("checks").stdout
    assert ran.exists()


@pytest.mark.parametrize("part", [".", "stackdoctor.yaml", "mine", "mine/mine.py"])
def test_nothing_is_run_that_others_could_have_written(run: Run, home: Path, tmp_path: Path, part: str) -> None:
    ran = with_check(tmp_path)
    written(tmp_path, "checks: mine\n")
    (tmp_path / part).chmod(0o777)
    done = run("checks")
    assert done.returncode == 2
    assert "because everybody can write" in done.stderr
    assert not ran.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_nothing_is_run_from_a_file_of_somebody_else(run: Run, home: Path, tmp_path: Path) -> None:
    ran = with_check(tmp_path)
    os.chown(written(tmp_path, "since: 2h\nchecks: mine\n"), 12345, 12345)
    done = run("checks")
    assert done.returncode == 2
    assert "belongs to uid 12345" in done.stderr
    assert not ran.exists()


def test_a_link_in_a_folder_of_others_is_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    (folder / "stackdoctor.yaml").symlink_to(written(tmp_path, "checks: mine\n"))
    assert "everybody can write" in distrusted(folder / "stackdoctor.yaml")


@pytest.mark.parametrize("key", sorted({*BESIDE, "nodes"} - {"ignore"}))
def test_a_file_that_everybody_can_write_sets_only_what_is_harmless(key: str, tmp_path: Path) -> None:
    harmless = ("since", "timeout", "parallel", "budget_cpu", "budget_bytes", "full", "quiet", "check", "format")
    option = options_by_key().get(key)
    value = "true" if option is not None and option.is_flag else {"fail_on": "error", "format": "json"}.get(key, "10")
    path = written(tmp_path, f"{key}: {'[a]' if key == 'nodes' else value}\n")
    path.chmod(0o666)
    if key in (*harmless, "fail_on", "verbose"):
        assert key in read_settings((path,)).values
        return
    with pytest.raises(UsageError, match="is not taken from this file"):
        read_settings((path,))


def test_every_option_that_may_be_configured_is_a_key() -> None:
    found: set[str] = set()
    commands = [stackdoctor.get_command(click.Context(stackdoctor), name) for name in COMMANDS]
    while commands:
        command = commands.pop()
        assert command is not None
        commands += getattr(command, "commands", {}).values()
        found |= {option.key for option in command.params if isinstance(option, Setting)}
    assert found == set(KEYS)


def test_the_demo_is_looked_at_by_this_process_whatever_executor_is_configured(
    run: Run, home: Path, tmp_path: Path
) -> None:
    written(tmp_path, "executor: processes:2\n")
    assert run("diagnose", "--demo", "-q").returncode == 0
    done = run("diagnose", "--demo", "-q", "--executor", "processes:2")
    assert (done.returncode, "leave out --executor" in done.stderr) == (2, True)


def test_every_setting_is_documented() -> None:
    text = DOC.read_text()
    assert not [key for key in (*KEYS, "ignore", "nodes", "defaults") if f"`{key}`" not in text]


def test_help_loads_neither_yaml_nor_the_commands(run: Run, home: Path, tmp_path: Path) -> None:
    written(tmp_path, "since: 2h\n")
    code = "import sys; from stackdoctor.cli.main import stackdoctor\n"
    code += "try: stackdoctor(['--help'])\nexcept SystemExit: print('yaml' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert said.stdout.splitlines()[-1] == "False", said.stderr
