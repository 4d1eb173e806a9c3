"""What holds for all tests."""

from __future__ import annotations

import signal

from hypothesis import settings

# no test asserts a time: a machine that is busy with something else is no failure
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# a shell that runs the tests in the background has them ignore Ctrl-C, and so would what they start
signal.signal(signal.SIGINT, signal.default_int_handler)
