"""Checks, playbooks and the recording are where the code looks for them, in a wheel and in an editable install."""

from __future__ import annotations

import subprocess
import sys
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


def test_an_installed_wheel_finds_its_own(wheel: Path, tmp_path: Path) -> None:
    """Unpacked beside the dependencies of this environment, as pip would."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {LOOK}"
    # the editable install's finder comes before sys.path
    code = "import sys; sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f)];" + code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout.split() == ["True"] * 4, done.stderr


def test_an_editable_install_finds_its_own(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "-q", "--no-deps", "--editable", str(ROOT)]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = subprocess.run([str(python), "-c", LOOK], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert found.stdout.split() == ["True"] * 4, found.stderr
