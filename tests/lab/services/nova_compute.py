"""Stand-in for nova-compute: serves its topic, reports its state, has periodic tasks (conductor, disk)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import standin
from oslo_config import cfg
from oslo_context.context import RequestContext
from oslo_service import periodic_task


class ComputeManager(periodic_task.PeriodicTasks):
    """The periodic tasks under the names that they have in nova/compute/manager.py."""

    def __init__(self, conf: cfg.ConfigOpts, conductor: standin.ConductorAPI) -> None:
        super().__init__(conf)
        self.conductor = conductor

    @periodic_task.periodic_task(spacing=2)
    def update_available_resource(self, context: RequestContext) -> Any:
        return self.conductor.object_class_action_versions(context, "ComputeNode", "save", self.conf.host)

    @periodic_task.periodic_task(spacing=2)
    def _run_image_cache_manager_pass(self, context: RequestContext) -> None:
        """Registers the use of the instances' storage, as nova/virt/storage_users.py does."""
        users = Path(self.conf.instances_path) / "compute_nodes"
        new = users.with_suffix(".new")
        new.write_text(json.dumps({self.conf.host: time.time()}))
        new.replace(users)


def main() -> None:
    conf = standin.configure()
    transport = standin.serve(conf, "compute", [standin.BaseRPCAPI("compute")])
    conductor = standin.ConductorAPI(transport)
    manager = ComputeManager(conf, conductor)
    standin.every(0.5, lambda: manager.run_periodic_tasks(RequestContext()))
    standin.every(conf.report_interval, standin.report_state(conf, conductor, "nova-compute")).join()


if __name__ == "__main__":
    standin.run(main)
