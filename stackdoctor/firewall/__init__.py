"""What a node's iptables rules do to a packet, decided offline from its `iptables-save` and `ipset save`."""
