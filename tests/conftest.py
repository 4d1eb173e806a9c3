"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# no test asserts a time: a machine that is busy with something else is no failure
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
