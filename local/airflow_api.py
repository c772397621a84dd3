"""Queries of Airflow's API while Airflow starts."""

import json
import urllib.request
from datetime import datetime

from local.airflow_home import USER
from local.loose_types import Json

_PROCESSES = {"scheduler": "scheduler", "triggerer": "triggerer", "dag_processor": "dag-processor"}
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy: the server is on this machine


def unhealthy_process(url: str, since: datetime) -> str | None:
    """Return the name of a process that is not healthy, or None. Raises OSError if the API does not answer.

    since: when Airflow was started; an older heartbeat is of an Airflow that has ended.
    """
    health = _request(f"{url}/api/v2/monitor/health")
    if health["metadatabase"]["status"] != "healthy":
        return "postgres"
    for part, process in _PROCESSES.items():
        heartbeat = health[part][f"latest_{part}_heartbeat"]
        is_ours = heartbeat is not None and datetime.fromisoformat(heartbeat) >= since
        if health[part]["status"] != "healthy" or not is_ours:
            return process
    return None


def import_errors(url: str, password: str, since: datetime) -> list[str]:
    """Return a line for each plug-in that cannot be imported and each DAG file that failed after `since`."""
    token = _request(f"{url}/auth/token", body={"username": USER, "password": password})["access_token"]
    dags = _request(f"{url}/api/v2/importErrors", token=token)["import_errors"]
    plugins = _request(f"{url}/api/v2/plugins/importErrors", token=token)["import_errors"]
    return [
        *(
            f"{error['filename']}: {_last_line(error['stack_trace'])}"
            for error in dags
            if datetime.fromisoformat(error["timestamp"]) >= since
        ),
        *(f"{error['source']}: {_last_line(error['error'])}" for error in plugins),
    ]


def _request(url: str, *, token: str | None = None, body: Json = None) -> Json:
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode())  # noqa: S310  ours
    request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    with _opener.open(request, timeout=30) as response:
        return json.load(response)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]
