"""What paramiko needs for `Match exec` only is left out, and nobody else's import of it is in the way."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys, {first}
from stackdoctor.inventory.paramiko_alone import paramiko
paramiko.SSHConfig.from_text("Host a").lookup("a")
print("invoke" in sys.modules)
import invoke
print(invoke.run is not None)
"""


@pytest.mark.parametrize(("first", "there"), [("os", "False"), ("invoke", "True")])
def test_the_other_library_is_imported_by_those_only_who_want_it(first: str, there: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(first=first)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [there, "True"]
