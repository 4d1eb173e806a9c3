"""Volumes: targets, sessions, paths and the groups that they are cut from."""
