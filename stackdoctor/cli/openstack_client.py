"""The plugin ``doctor`` of python-openstackclient, by the names that osc-lib's plugins have.

The client imports it at every start: it holds nothing but these (osc-lib's doc/source/user/plugins.rst).
"""

from __future__ import annotations

import argparse

__all__ = [
    "API_NAME",
    "API_VERSIONS",
    "API_VERSION_OPTION",
    "DEFAULT_API_VERSION",
    "build_option_parser",
    "make_client",
]

API_NAME = "doctor"
API_VERSION_OPTION = "os_doctor_api_version"
API_VERSIONS = ("1",)
DEFAULT_API_VERSION = "1"


def make_client(instance: object) -> None:
    """There is no API behind the commands."""


def build_option_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """No global option of its own."""
    return parser
