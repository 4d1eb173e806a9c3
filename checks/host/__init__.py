"""The hosts themselves: reachability, processes, services, disks, clocks."""
