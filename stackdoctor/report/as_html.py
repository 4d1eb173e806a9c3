"""The report as one HTML file that needs nothing else: no network, no second file, no server.

A Content-Security-Policy in the page lets run its own script only, by its hash; the data is JSON in an element
that is no script to a browser, and gets into the page as text.  Where scripts do not run (a mail's preview), the
report stands there as text.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from html import escape
from importlib.resources import files

from stackdoctor.report.as_text import to_text
from stackdoctor.report.hostile import flat
from stackdoctor.report.html_data import page_json
from stackdoctor.report.html_scene import Scene
from stackdoctor.report.report import Report
from stackdoctor.report.wording import verdict

__all__ = ["to_html"]

SCRIPTS = ("dom", "causes", "picture", "boxes", "timeline", "findings", "start")
STYLES = ("page", "parts", "print")


def to_html(report: Report, scene: Scene | None = None) -> str:
    """``report`` as a page; with the ``scene`` of its snapshot the picture shows also what is not broken."""
    script, style = _script(), _style()
    values = {
        "POLICY": f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none';"
        " form-action 'none'",
        "TITLE": escape(_title(report)),
        "STYLE": style,
        "TEXT": escape(to_text(report)),
        "DATA": page_json(report, scene or Scene()),
        "SCRIPT": script,
    }
    pieces = _piece("page.html").split("@@")
    return "".join(values[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def _title(report: Report) -> str:
    causes = [flat(diagnosis.title) for diagnosis in report.diagnoses]
    return f"{causes[0] if causes else verdict(report)[0]} - stackdoctor"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@lru_cache(maxsize=1)
def _script() -> str:
    body = "\n".join(_piece(f"{name}.js") for name in SCRIPTS)
    return f'\n(() => {{\n"use strict";\n{body}\n}})();\n'


@lru_cache(maxsize=1)
def _style() -> str:
    return "\n" + "\n".join(_piece(f"{name}.css") for name in STYLES)


def _piece(name: str) -> str:
    return files(__package__).joinpath("html").joinpath(name).read_text(encoding="utf-8")
