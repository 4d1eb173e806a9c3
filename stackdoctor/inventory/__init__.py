"""Which nodes there are, what they are called, and how each is reached."""
