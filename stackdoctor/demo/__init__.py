"""A recorded cloud, served again over SSH on this machine."""
