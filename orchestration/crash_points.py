"""Named places at which a process can be made to die as if its machine had lost power: tests arm
one and prove that nothing is lost or done twice. Nothing happens unless the environment names one.
"""

import os
import signal
from collections import Counter
from typing import Literal

from orchestration.settings import armed_crash_point

CrashPoint = Literal[
    "after_pull",
    "after_insert",
    "after_commit_before_ack",
    "after_ack",
    "after_claim",
    "after_attempt_started",
    "after_response_before_save",
    "after_save_before_done",
    "after_done_before_event",
    "after_send_before_mark",
]

_reached = Counter[str]()


def reach(point: CrashPoint) -> None:
    """End this process by SIGKILL if the point is armed, and was reached as often as asked for.

    SUPPLIER_RISK_CRASH_POINT is a name, such as `after_pull`, or a name and a count, such as
    `after_pull:3` for the third time.
    """
    armed = armed_crash_point()
    if armed is None or armed.partition(":")[0] != point:
        return
    _reached[point] += 1
    if _reached[point] >= int(armed.partition(":")[2] or 1):
        os.kill(os.getpid(), signal.SIGKILL)
