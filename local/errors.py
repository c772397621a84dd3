"""The package's exceptions."""

from pathlib import Path

_LAST_LINES = 15


class LocalCloudError(Exception):
    """The base of this package's expected errors; the message is for the user."""


class TemplateError(LocalCloudError):
    """The template, its parameters, an option or the settings file is invalid."""


class NotSupportedError(TemplateError):
    """A resource type or property that the local cloud would treat differently from AWS."""

    def __init__(self, logical_id: str, resource_type: str, feature: str) -> None:
        super().__init__(f"{logical_id} ({resource_type}): the local cloud does not support {feature}")


class BuildError(LocalCloudError):
    """A function's build failed."""


class ServerError(LocalCloudError):
    """The server process failed."""


class SparkSetupError(LocalCloudError):
    """Spark cannot run on this machine."""


class AirflowError(LocalCloudError):
    """Airflow failed to start."""

    @classmethod
    def with_log(cls, message: str, log: Path) -> "AirflowError":
        """Return an error with a message and the end of the log that shows the reason."""
        lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
        return cls("\n".join([f"{message}: see {log}", *(f"    {line}" for line in lines[-_LAST_LINES:])]))
