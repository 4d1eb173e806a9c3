"""paramiko without what it has for `Match exec`, which is refused here: another library, half of the time to import."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["paramiko"]

_modules: dict[str, Any] = sys.modules
_hidden = "invoke" not in _modules
if _hidden:
    _modules["invoke"] = None  # to import it is an ImportError now, and paramiko goes on
try:
    import paramiko
finally:
    if _hidden:
        del _modules["invoke"]
