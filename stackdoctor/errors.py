"""What can go wrong by the user's hand, and how it is said: one sentence, an exit status, no traceback."""

from __future__ import annotations

__all__ = ["CouldNotCheck", "NotApplicable", "NothingCollected", "ParseError", "StackdoctorError", "UsageError"]


class StackdoctorError(Exception):
    """An error whose text is for the user: what is wrong and what to do next."""

    exit_status = 2


class UsageError(StackdoctorError):
    """Wrong use or configuration: an option, an inventory, a snapshot, a check or a playbook."""


class NothingCollected(StackdoctorError):
    """Not one node gave a result, so nothing can be said about the cloud."""

    exit_status = 3


class NotApplicable(Exception):
    """A fact does not exist on this node: the program or the files are not there."""


class CouldNotCheck(Exception):
    """A fact could not be read (denied, timed out, node lost, refused format); its text says why."""


class ParseError(CouldNotCheck):
    """What a program printed is not what its parser knows; never guessed."""
