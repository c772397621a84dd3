"""Errors of the commands; each kind has an exit code."""


class CommandError(Exception):
    """What failed, and what to do next.

    Attributes:
        details: further lines: where, which.
        next_steps: commands or instructions, one per line.
    """

    exit_code = 1

    def __init__(self, message: str, *, details: list[str] | None = None, next_steps: list[str] | None = None) -> None:
        super().__init__(message)
        self.details = details or []
        self.next_steps = next_steps or []


class BadData(CommandError):
    """Files were quarantined or failed: exit code 1."""


class BadUsage(CommandError):
    """The command was called with invalid arguments: exit code 2."""

    exit_code = 2


class NoCloud(CommandError):
    """No pipeline was found, access was denied, or it did not respond: exit code 3."""

    exit_code = 3


class TimedOut(CommandError):
    """The command stopped waiting: exit code 4."""

    exit_code = 4
