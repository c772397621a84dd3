"""What the commands say when they cannot do what was asked: each kind of error has an exit code."""


class CommandError(Exception):
    """What was wrong, and what to do next.

    Attributes:
        details: further lines about it: where, which.
        next_steps: commands or acts that help, one a line.
    """

    exit_code = 1

    def __init__(self, what: str, *, details: list[str] | None = None, next_steps: list[str] | None = None) -> None:
        super().__init__(what)
        self.details = details or []
        self.next_steps = next_steps or []


class BadData(CommandError):
    """Files were quarantined or failed: exit code 1."""


class BadUsage(CommandError):
    """The command was called with something that cannot be."""

    exit_code = 2


class NoCloud(CommandError):
    """There is no pipeline to speak to, or it does not let us in, or it does not answer."""

    exit_code = 3


class TimedOut(CommandError):
    """What was waited for did not come in time."""

    exit_code = 4
