"""Open vSwitch, DPDK, SR-IOV and huge pages."""
