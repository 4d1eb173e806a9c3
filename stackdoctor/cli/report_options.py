"""Options of what a report looks like, and from where on it fails."""

from __future__ import annotations

import click

from stackdoctor.cli.options import SEVERITY, setting, together
from stackdoctor.report.formats import FORMATS

__all__ = ["report_options"]

report_options = together(
    [
        setting("--format", "form", type=click.Choice(FORMATS), default="terminal", show_default=True),
        setting("--fail-on", type=SEVERITY, default="error", show_default=True, help="Exit with 1 from here on."),
        setting("-v", "--verbose", is_flag=True, help="All evidence and every finding."),
    ]
)
