"""What keeps the control nodes together: Pacemaker, Corosync, virtual addresses."""
