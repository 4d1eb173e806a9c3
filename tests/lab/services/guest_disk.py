"""A guest's disk over iSCSI as QEMU has it: libiscsi logs in, asks the disk every second, and logs in anew a second
after it is lost: its pauses are the rate of a guest that uses its disk, and wait for nothing.
Writes "in" or why not to its standard output.

Arguments: portal (address:port), target, unit, initiator, account, and a file with the account's secret.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
import time
from pathlib import Path

NORMAL = 2  # enum iscsi_session_type
CRC32C_OFF = 0  # enum iscsi_header_digest
SECONDS = 3


def library() -> ctypes.CDLL:
    found = ctypes.CDLL(ctypes.util.find_library("iscsi") or "libiscsi.so")
    found.iscsi_create_context.restype = ctypes.c_void_p
    found.iscsi_get_error.restype = ctypes.c_char_p
    found.iscsi_testunitready_sync.restype = ctypes.c_void_p
    return found


def hold(iscsi: ctypes.CDLL, portal: str, target: str, unit: int, initiator: str, account: str, secret: str) -> str:
    """Log in and use the disk until that fails; what libiscsi says then."""
    context = ctypes.c_void_p(iscsi.iscsi_create_context(initiator.encode()))
    iscsi.iscsi_set_targetname(context, target.encode())
    iscsi.iscsi_set_session_type(context, NORMAL)
    iscsi.iscsi_set_header_digest(context, CRC32C_OFF)
    iscsi.iscsi_set_initiator_username_pwd(context, account.encode(), secret.encode())
    iscsi.iscsi_set_noautoreconnect(context, 1)
    iscsi.iscsi_set_timeout(context, SECONDS)
    try:
        if iscsi.iscsi_full_connect_sync(context, portal.encode(), unit):
            return str(iscsi.iscsi_get_error(context).decode(errors="replace"))
        print("in", flush=True)
        while task := iscsi.iscsi_testunitready_sync(context, unit):
            done = ctypes.c_int.from_address(task).value == 0  # struct scsi_task begins with its status; 0 is GOOD
            iscsi.scsi_free_scsi_task(ctypes.c_void_p(task))
            if not done:
                return "the disk is not ready"
            time.sleep(1)
        return str(iscsi.iscsi_get_error(context).decode(errors="replace"))
    finally:
        iscsi.iscsi_destroy_context(context)


def main() -> None:
    portal, target, unit, initiator, account, secret = sys.argv[1:]
    iscsi = library()
    while True:
        # one process a session: what hangs in it is ended with it
        child = os.fork()
        if not child:
            print(hold(iscsi, portal, target, int(unit), initiator, account, Path(secret).read_text()), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        time.sleep(1)


if __name__ == "__main__":
    main()
