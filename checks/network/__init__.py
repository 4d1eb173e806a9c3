"""The network between the nodes and of the instances."""
