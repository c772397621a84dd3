"""Tie this process to its parent, then replace it by the program in the arguments.

`guard.py PARENT ADDRESS_SPACE PROGRAM ARGUMENT…`

It is a separate script that runs before any other code of the child, because in a process with threads it is unsafe to
run code between fork and exec.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, address_space: int, program: list[str]) -> None:
    """Set up the process and execute the program; never return."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # the parent ended before the call above
            os._exit(1)
        if address_space:
            resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    os.execvp(program[0], program)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
