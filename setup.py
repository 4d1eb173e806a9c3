"""What setup.cfg cannot say: a wheel has the YAML of its packages as data, so that no start has to parse it."""

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SOURCE = Path(__file__).resolve().parent


class BuildWithParsed(build_py):
    """An editable install has none, for its files change."""

    def run(self):
        super().run()
        if not self.editable_mode:
            sys.path.insert(0, str(SOURCE))
            from stackdoctor.facts.parsed import FILE, as_json

            built = Path(self.build_lib)
            (built / FILE.relative_to(SOURCE)).write_text(as_json(built.rglob("*.yaml")), encoding="ascii")


setup(cmdclass={"build_py": BuildWithParsed})
