"""What setup.cfg cannot say: a wheel has YAML as data and the agent compiled, so that no start has to do it."""

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SOURCE = Path(__file__).resolve().parent


class BuildWithKept(build_py):
    """An editable install has none, for its files change."""

    def run(self):
        super().run()
        if not self.editable_mode:
            sys.path.insert(0, str(SOURCE))
            from stackdoctor.collect.agent import BUILT, built
            from stackdoctor.facts.parsed import FILE, as_json

            library = Path(self.build_lib)
            (library / FILE.relative_to(SOURCE)).write_text(as_json(library.rglob("*.yaml")), encoding="ascii")
            programs = library / BUILT.relative_to(SOURCE)
            programs.mkdir(exist_ok=True)
            for name, program in built():
                (programs / name).write_bytes(program)


setup(cmdclass={"build_py": BuildWithKept})
