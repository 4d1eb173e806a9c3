"""Ceilometer, Aodh and Gnocchi."""
