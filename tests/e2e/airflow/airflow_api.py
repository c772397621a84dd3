"""A client for the REST API of a running Airflow."""

import json
import time
import urllib.request
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

from local.airflow_home import USER

PATIENCE = 420.0  # seconds for a run of a DAG on a busy machine
_ENDED = {"success", "failed"}
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def send(method: str, url: str, body: object = None, token: str | None = None) -> Any:
    """Return the JSON of a response; None if it is empty. Raises HTTPError."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, headers, method=method)  # noqa: S310  of this machine
    with _opener.open(request, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else None


@dataclass(frozen=True)
class Airflow:
    """An Airflow, with the credentials of its user."""

    url: str
    password: str
    user: str = USER

    def token(self) -> str:
        """Return an access token of the user."""
        response = send("POST", f"{self.url}/auth/token", {"username": self.user, "password": self.password})
        return str(response["access_token"])

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Return the response of a path below /api/v2/; an HTTP error fails with the API's message."""
        try:
            return send(method, f"{self.url}/api/v2/{path}", body, self._token)
        except HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from error

    @cached_property
    def _token(self) -> str:
        return self.token()

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run of a DAG, and return its id."""
        run = self.api("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf or {}})
        return str(run["dag_run_id"])

    def backfills(self, dag_id: str, days: Collection[date]) -> list[str] | None:
        """Return the runs of a DAG that backfill these days; None until each day has one."""
        listed = self.api("GET", f"dags/{dag_id}/dagRuns?run_type=backfill&order_by=-id&limit=10")["dag_runs"]
        ours = [run["dag_run_id"] for run in listed if run["logical_date"][:10] in set(map(str, days))]
        return ours if len(ours) == len(days) else None

    def succeed(self, dag_id: str, run_id: str) -> None:
        """Wait for a run, which must succeed."""
        assert self.wait(dag_id, run_id) == "success", self.summary(dag_id, run_id)

    def wait(self, dag_id: str, run_id: str) -> str:
        """Wait for a run, and return its state: success or failed, or another one if it did not finish in time."""
        deadline = time.monotonic() + PATIENCE
        while (state := self._run(dag_id, run_id)["state"]) not in _ENDED and time.monotonic() < deadline:
            time.sleep(0.5)
        return str(state)

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        return list(self.api("GET", f"{_run_path(dag_id, run_id)}/taskInstances")["task_instances"])

    def returned(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """Return the return value of a task."""
        return self.api("GET", f"{_run_path(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries/return_value")["value"]

    def summary(self, dag_id: str, run_id: str) -> str:
        """Return the state of each task, with the logs of the failed ones, as message of an assertion."""
        lines = [f"{dag_id} {run_id}: {self._run(dag_id, run_id)['state']}"]
        for task in self.tasks(dag_id, run_id):
            lines.append(f"  {task['task_id']}[{task['map_index']}]: {task['state']}")
            if task["state"] in {"failed", "up_for_retry"}:
                lines.extend(f"    {line}" for line in self._log(dag_id, run_id, task))
        return "\n".join(lines)

    def _run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        return dict(self.api("GET", _run_path(dag_id, run_id)))

    def _log(self, dag_id: str, run_id: str, task: dict[str, Any]) -> list[str]:
        path = f"taskInstances/{task['task_id']}/logs/{task['try_number']}?map_index={task['map_index']}"
        content = self.api("GET", f"{_run_path(dag_id, run_id)}/{path}")["content"]
        return [json.dumps(entry) for entry in content]


def _run_path(dag_id: str, run_id: str) -> str:
    return f"dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
