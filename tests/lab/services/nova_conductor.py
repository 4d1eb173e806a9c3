"""Stand-in for nova-conductor: writes down who reported, in place of the database's tables."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import oslo_messaging
import standin
from oslo_config import cfg


class ConductorManager:
    """Answers what the other services ask of the conductor; ``rows`` is the database: row -> when it was written."""

    target = oslo_messaging.Target(version="3.0")

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.database = Path(conf.state_path) / "database.json"
        self.rows: dict[str, float] = {}
        self.lock = threading.Lock()

    def object_class_action_versions(
        self,
        context: Any,
        objname: str,
        objmethod: str,
        object_versions: dict[str, str],
        args: list[str],
        kwargs: dict[str, str],
    ) -> float:
        with self.lock:
            now = self.rows[" ".join([objname, *args])] = time.time()
            new = self.database.with_suffix(".new")
            new.write_text(json.dumps(self.rows))
            new.replace(self.database)
        return now


def main() -> None:
    conf = standin.configure()
    standin.serve(
        conf, "conductor", [ConductorManager(conf), standin.BaseRPCAPI("conductor")], Path(conf.state_path) / "busy"
    )
    threading.Event().wait()


if __name__ == "__main__":
    standin.run(main)
