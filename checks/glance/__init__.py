"""Glance: where the images are kept."""
