"""Checks, playbooks and the recording are where the code looks for them, in a wheel and in an editable install."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LOOK = (
    "import stackdoctor.checks, stackdoctor.playbooks, pathlib, importlib.resources as r;"
    "print(len(list(pathlib.Path(stackdoctor.checks.__path__[0]).rglob('*.yaml'))) > 5,"
    "len(list(pathlib.Path(stackdoctor.playbooks.__path__[0]).glob('*.yaml'))) > 5,"
    "r.files('stackdoctor.fixtures').joinpath('conductor-hung/snapshot.tar.gz').is_file(),"
    "r.files('stackdoctor.report').joinpath('schema.json').is_file())"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source") / "stackdoctor"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


def test_a_wheel_holds_every_module_check_signature_and_playbook(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    wanted = [p for p in listed if p.startswith("stackdoctor/")]
    wanted += [f"stackdoctor/{p}" for p in listed if p.startswith(("checks/", "playbooks/"))]
    wanted.append("stackdoctor/fixtures/conductor-hung/snapshot.tar.gz")
    assert [p for p in wanted if p not in names] == []


def installed(wheel: Path, folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """``code`` run with what was unpacked in ``folder`` beside the dependencies of this environment, as pip would."""
    if not (folder / "stackdoctor").exists():
        zipfile.ZipFile(wheel).extractall(folder)
    # the editable install's finder comes before sys.path
    code = f"""import sys
sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f)]
sys.path.insert(0, {str(folder)!r})
{code}"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder)


def test_an_installed_wheel_finds_its_own(wheel: Path, tmp_path: Path) -> None:
    done = installed(wheel, tmp_path, LOOK)
    assert done.stdout.split() == ["True"] * 4, done.stderr


def test_every_yaml_file_of_a_wheel_is_there_as_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        kept = json.loads(packed.read("stackdoctor/facts/parsed.json"))
        texts = {name: packed.read(name).decode() for name in packed.namelist() if name.endswith(".yaml")}
    assert len(texts) > 100
    left_out = [name for name, text in texts.items() if hashlib.sha256(text.encode()).hexdigest() not in kept]
    assert not left_out, "what JSON cannot hold (dates, keys that are numbers) is parsed at every start: quote it"
    assert len(kept) == len(set(texts.values()))


KNOWN = """
import stackdoctor.cli.diagnose
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.errors import UsageError
try:
    titles = {p.cause: p.title for p in load_knowledge().playbooks}
except UsageError as error:
    print(error)
else:
    print(titles["rmq-memory-alarm"], "yaml" in sys.modules, sep="\\n")
"""


def test_an_installed_wheel_parses_only_what_was_changed(wheel: Path, tmp_path: Path) -> None:
    title, parsed = installed(wheel, tmp_path, KNOWN).stdout.splitlines()
    assert parsed == "False"
    playbook = tmp_path / "stackdoctor" / "playbooks" / "rmq-memory-alarm.yaml"
    text = playbook.read_text()
    playbook.write_text(text.replace(title, "of late " + title))
    assert installed(wheel, tmp_path, KNOWN).stdout.splitlines() == ["of late " + title, "True"]
    playbook.write_text("cause: rmq-memory-alarm\ntitle: a: b\n")
    (said,) = installed(wheel, tmp_path, KNOWN).stdout.splitlines()
    assert said == f"{playbook}:2:9: is not YAML: mapping values are not allowed in this context"


COMPILES = """
from stackdoctor.collect import agent
agent._made = lambda written: b"compiled"
sent = [agent.program(agent.source(agent.wanted(logs=logs, apis=apis))) for logs in (0, 1) for apis in (0, 1)]
print(agent.program(agent.source(agent.ARCHIVED)) == b"compiled" or b"compiled" in sent, len(set(sent)))
"""


def test_an_installed_wheel_has_the_agent_compiled(wheel: Path, tmp_path: Path) -> None:
    assert installed(wheel, tmp_path, COMPILES).stdout.split() == ["False", "4"]


def test_an_editable_install_finds_its_own(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "-q", "--no-deps", "--editable", str(ROOT)]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = subprocess.run([str(python), "-c", LOOK], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert found.stdout.split() == ["True"] * 4, found.stderr


SHARED = ("bash-completion/completions/stackdoctor", "zsh/site-functions/_stackdoctor", "man/man1/stackdoctor.1")


def test_a_wheel_installs_completions_man_page_and_licence(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    name = wheel.name.rsplit("-py3", 1)[0]
    wanted = {f"{name}.data/data/share/{path}" for path in (*SHARED, "fish/vendor_completions.d/stackdoctor.fish")}
    assert wanted <= names
    assert any(path.startswith(f"{name}.dist-info/") and path.endswith("LICENSE") for path in names)


def test_a_source_distribution_is_whole_and_builds_without_a_network(tmp_path: Path) -> None:
    """With what a distribution has: its own setuptools, and no index to ask."""
    source = tmp_path / "source"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    make = [sys.executable, "-c", "from setuptools import build_meta; print(build_meta.build_sdist('dist'))"]
    done = subprocess.run(make, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (archive,) = (source / "dist").iterdir()
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
        packed.extractall(tmp_path / "unpacked", filter="data")
    listed = subprocess.run(["git", "ls-files"], cwd=source, capture_output=True, text=True, check=True).stdout.split()
    assert [path for path in listed if path not in names and path != ".gitignore"] == []
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--no-index", "."]
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    done = subprocess.run(pip, cwd=unpacked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = unpacked.glob("*.whl")
    assert "stackdoctor/facts/parsed.json" in zipfile.ZipFile(built).namelist()
