"""Swift: drives, rings and replication."""
