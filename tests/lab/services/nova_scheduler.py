"""Stand-in for nova-scheduler: serves its topic and reports its state."""

from __future__ import annotations

import standin


def main() -> None:
    conf = standin.configure()
    transport = standin.serve(conf, "scheduler", [standin.BaseRPCAPI("scheduler")])
    conductor = standin.ConductorAPI(transport)
    standin.every(conf.report_interval, standin.report_state(conf, conductor, "nova-scheduler")).join()


if __name__ == "__main__":
    standin.run(main)
