"""The package's exceptions."""

from pathlib import Path

_LAST_LINES = 15


class LocalCloudError(Exception):
    """The root of what this package raises on purpose; its text is fit for the user."""


class TemplateError(LocalCloudError):
    """The template, its parameters or the settings file are wrong."""


class NotHonouredError(TemplateError):
    """A resource type or property that would silently behave otherwise than on AWS."""

    def __init__(self, logical_id: str, resource_type: str, what: str) -> None:
        super().__init__(f"{logical_id} ({resource_type}): the local cloud does not honour {what}")


class BuildError(LocalCloudError):
    """A function's build failed."""


class ServerError(LocalCloudError):
    """The server process failed."""


class SparkSetupError(LocalCloudError):
    """Spark cannot run on this machine as it is."""


class AirflowError(LocalCloudError):
    """Airflow cannot run as asked."""

    @classmethod
    def with_log(cls, what: str, log: Path) -> "AirflowError":
        """What went wrong, and below it the end of the log that tells why."""
        lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
        return cls("\n".join([f"{what}: see {log}", *(f"    {line}" for line in lines[-_LAST_LINES:])]))
