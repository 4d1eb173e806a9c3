"""Kafka, where notifications go to it."""
