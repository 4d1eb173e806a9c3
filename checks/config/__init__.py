"""The services' configuration held against what is there."""
