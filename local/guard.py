"""Becomes the program of its arguments, after tying it to its parent.

`guard.py PARENT ADDRESS_SPACE PROGRAM ARGUMENT…`

Runs as a script of its own, before any other code of the child: preparing a child between fork and exec is unsafe in
a process with threads.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, address_space: int, program: list[str]) -> None:
    """Does not return."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it died before the tie was made
            os._exit(1)
        if address_space:
            resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    os.execvp(program[0], program)  # noqa: S606  exactly this: become the program, through no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
