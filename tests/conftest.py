"""What holds for all tests."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# no test asserts a time: a machine that is busy with something else is no failure
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# a shell that runs the tests in the background has them ignore Ctrl-C, and so would what they start
signal.signal(signal.SIGINT, signal.default_int_handler)
# and nohup has them ignore that the terminal is gone
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# tests of verdicts ask for everything, however busy the machine is with other tests
os.environ["STACKDOCTOR_FULL"] = "1"

# and their runs are nobody's history
os.environ["STACKDOCTOR_KEEP_RUN"] = "no"
