"""Log lines as JSON objects, with keys to follow a file or a run: source_id, batch_id, execution.

Modules of the package use the standard library's logging and pass these keys in `extra`. In functions, Powertools
formats the lines; Glue jobs have no Powertools, so :class:`JsonLines` writes the same keys there.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime

from music_streams import clock

_PACKAGE = logging.getLogger("music_streams")
_OF_EVERY_RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Formats a record as Powertools' Logger does: level, location, message, timestamp, service, then other keys.

    Attributes:
        keys: the keys of every line.
    """

    def __init__(self, **keys: str) -> None:
        super().__init__()
        self.keys = keys

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON, even if the message has several lines."""
        instant = datetime.fromtimestamp(record.created, clock.UTC)
        line = {
            "level": record.levelname,
            "location": f"{record.funcName}:{record.lineno}",
            "message": record.getMessage(),
            "timestamp": instant.isoformat(timespec="milliseconds"),
            **self.keys,
            **{name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD},
        }
        if record.exc_info and record.exc_info[0]:
            line["exception_name"] = record.exc_info[0].__name__
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def write_by(handler: logging.Handler) -> None:
    """Make a handler the only one of the package's logger."""
    _PACKAGE.handlers = [handler]
    _PACKAGE.setLevel(logging.INFO)
    _PACKAGE.propagate = False


def write_job_lines(service: str, **about: str) -> None:
    """Write the package's log lines to stderr, each with the service and the keys in `about`.

    Glue sends them to the log group ``/aws-glue/jobs/output`` (Spark jobs, from Glue 5.0 on) or
    ``/aws-glue/python-jobs/error`` (Python Shell).
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(service=service, **about))
    write_by(handler)


def of_execution(name_or_arn: str) -> dict[str, str]:
    """Return the keys of lines about an execution: batch_id and execution."""
    execution = name_or_arn.rsplit(":", 1)[-1]
    return {"batch_id": execution.rpartition("-")[0], "execution": execution}
