"""What can be found wrong on an OpenStack cloud: a folder a system, a file a subject."""
