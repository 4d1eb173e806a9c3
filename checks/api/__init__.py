"""The APIs and what stands in front of them."""
