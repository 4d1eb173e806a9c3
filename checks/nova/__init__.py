"""Compute: the hypervisors."""
