"""Glue's job runs in memory, behind a real client: those of moto end by themselves and cannot be stopped."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_PAGE = 2  # runs; small, so that tests cover many pages


@dataclass
class Glue:
    """Answers the client's calls.

    Attributes:
        runs: the job runs, newest first.
        stopping_looks: how often a stopped run is listed as STOPPING before it is STOPPED.
    """

    client: Any
    runs: list[dict[str, Any]] = field(default_factory=list)
    stopping_looks: int = 0

    def __post_init__(self) -> None:
        self.client.meta.events.register("before-call", self._answer)

    def start(self, job: str, execution: str, state: str = "RUNNING", started_on: datetime | None = None) -> str:
        """Start a run of an execution and return its id."""
        run_id = f"jr_{len(self.runs)}"
        run = {
            "Id": run_id,
            "JobName": job,
            "JobRunState": state,
            "StartedOn": started_on or datetime.now(UTC),
            "Arguments": {"--execution": execution},
            "looks": self.stopping_looks,
        }
        self.runs.insert(0, run)
        return run_id

    def state(self, run_id: str) -> str:
        """Return the state of a run."""
        [state] = [run["JobRunState"] for run in self.runs if run["Id"] == run_id]
        return str(state)

    def _answer(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        request = json.loads(params["body"])
        answer = {"GetJobRuns": self._page, "BatchStopJobRun": self._stop}[model.name](request)
        return _Ok(), answer | {"ResponseMetadata": {"HTTPStatusCode": 200}}

    def _page(self, request: dict[str, Any]) -> dict[str, Any]:
        runs = [run for run in self.runs if run["JobName"] == request["JobName"]]
        start = int(request.get("NextToken", 0))
        page = [dict(run) for run in runs[start : start + _PAGE]]
        for run in runs[start : start + _PAGE]:
            self._advance(run)
        return {"JobRuns": page} | ({"NextToken": str(start + _PAGE)} if start + _PAGE < len(runs) else {})

    def _stop(self, request: dict[str, Any]) -> dict[str, Any]:
        for run in self.runs:
            is_requested = run["JobName"] == request["JobName"] and run["Id"] in request["JobRunIds"]
            if is_requested and run["JobRunState"] in {"STARTING", "RUNNING", "WAITING"}:
                run["JobRunState"] = "STOPPING"
                self._advance(run)
        return {"SuccessfulSubmissions": [], "Errors": []}

    @staticmethod
    def _advance(run: dict[str, Any]) -> None:
        """End a stopping run after it was listed as often as `looks` says."""
        if run["JobRunState"] == "STOPPING":
            run["JobRunState"] = "STOPPED" if run["looks"] == 0 else "STOPPING"
            run["looks"] -= 1


class _Ok:
    """The part of an HTTP response that the client reads."""

    status_code = 200
