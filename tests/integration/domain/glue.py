"""Glue's job runs in memory, behind a real client: moto's end by themselves and cannot be stopped."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_PAGE = 2  # runs; Glue's own pages are longer, and the more pages the more a reader can miss


@dataclass
class Glue:
    """Answers the client's calls.

    Attributes:
        runs: what Glue knows, the newest first.
        stopping_looks: how often a stopped run is still seen as STOPPING before it is STOPPED.
    """

    client: Any
    runs: list[dict[str, Any]] = field(default_factory=list)
    stopping_looks: int = 0

    def __post_init__(self) -> None:
        self.client.meta.events.register("before-call", self._answer)

    def start(self, job: str, execution: str, state: str = "RUNNING", started_on: datetime | None = None) -> str:
        """A run of an execution; its id."""
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
        """Where a run stands."""
        [state] = [run["JobRunState"] for run in self.runs if run["Id"] == run_id]
        return str(state)

    def _answer(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        asked = json.loads(params["body"])
        answer = {"GetJobRuns": self._page, "BatchStopJobRun": self._stop}[model.name](asked)
        return _Ok(), answer | {"ResponseMetadata": {"HTTPStatusCode": 200}}

    def _page(self, asked: dict[str, Any]) -> dict[str, Any]:
        runs = [run for run in self.runs if run["JobName"] == asked["JobName"]]
        start = int(asked.get("NextToken", 0))
        page = [dict(run) for run in runs[start : start + _PAGE]]
        for run in runs[start : start + _PAGE]:
            self._advance(run)
        return {"JobRuns": page} | ({"NextToken": str(start + _PAGE)} if start + _PAGE < len(runs) else {})

    def _stop(self, asked: dict[str, Any]) -> dict[str, Any]:
        for run in self.runs:
            is_meant = run["JobName"] == asked["JobName"] and run["Id"] in asked["JobRunIds"]
            if is_meant and run["JobRunState"] in {"STARTING", "RUNNING", "WAITING"}:
                run["JobRunState"] = "STOPPING"
                self._advance(run)
        return {"SuccessfulSubmissions": [], "Errors": []}

    @staticmethod
    def _advance(run: dict[str, Any]) -> None:
        """A run that was told to stop ends after so many looks."""
        if run["JobRunState"] == "STOPPING":
            run["JobRunState"] = "STOPPED" if run["looks"] == 0 else "STOPPING"
            run["looks"] -= 1


class _Ok:
    """What the client asks of an HTTP response."""

    status_code = 200
