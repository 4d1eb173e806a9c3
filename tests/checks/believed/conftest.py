"""A Zed cloud's answers to the API reads, with one row changed at a time, beside what its nodes show."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SAMPLE = Path(__file__).parent.parent.parent / "facts" / "samples" / "openstack" / "zed.json"


class Believed:
    """The recorded answers, to be changed."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}
        for row in json.loads(SAMPLE.read_text()):
            self.rows[f"{row['probe']} {row['subject']}".strip()] = row["stdout"]
        # the recorded volume was attached past Nova; here Nova knows
        attached = self.of("volume.volumes")[0]
        server = attached["attachments"][0]["server_id"]
        self.change(
            "compute.servers", {"id": server}, **{"os-extended-volumes:volumes_attached": [{"id": attached["id"]}]}
        )

    def of(self, probe: str) -> list[dict[str, Any]]:
        """The rows of one read."""
        found: list[dict[str, Any]] = self.rows[f"api.{probe}"]["rows"]
        return found

    def change(self, probe: str, where: dict[str, Any], **values: Any) -> None:
        """Set fields (``__`` for a colon, ``___`` for a dash) of the rows that have the values of ``where``."""
        rows = [row for row in self.of(probe) if all(row.get(k) == v for k, v in where.items())]
        assert rows
        for row in rows:
            row.update({k.replace("___", "-").replace("__", ":"): v for k, v in values.items()})

    def answers(self) -> dict[str, str]:
        """As the ``look`` fixture takes them."""
        return {probe: json.dumps(value) for probe, value in self.rows.items()}


@pytest.fixture
def believed() -> Believed:
    return Believed()


@pytest.fixture
def held(look: Callable[..., Any], believed: Believed) -> Callable[..., Any]:
    """``held(compute1={...})``: what is found when these nodes answer so and the APIs as they were changed."""
    return lambda **nodes: look(api=believed.answers(), **nodes)
