"""What the start of Airflow asks its API."""

import json
import urllib.request
from datetime import datetime

from local.airflow_home import USER
from local.loose_types import Json

_PROCESSES = {"scheduler": "scheduler", "triggerer": "triggerer", "dag_processor": "dag-processor"}
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy for the internet is none for here


def what_ails(url: str, since: datetime) -> str | None:
    """The process that is not healthy, None if all are; a heartbeat before `since` is one of an Airflow that has ended.

    Raises OSError where nothing answers.
    """
    health = _ask(f"{url}/api/v2/monitor/health")
    if health["metadatabase"]["status"] != "healthy":
        return "postgres"
    for part, process in _PROCESSES.items():
        heartbeat = health[part][f"latest_{part}_heartbeat"]
        is_ours = heartbeat is not None and datetime.fromisoformat(heartbeat) >= since
        if health[part]["status"] != "healthy" or not is_ours:
            return process
    return None


def import_errors(url: str, password: str, since: datetime) -> list[str]:
    """A line for each file of a DAG or a plug-in that does not import, of those that were tried after `since`."""
    token = _ask(f"{url}/auth/token", body={"username": USER, "password": password})["access_token"]
    dags = _ask(f"{url}/api/v2/importErrors", token=token)["import_errors"]
    plugins = _ask(f"{url}/api/v2/plugins/importErrors", token=token)["import_errors"]
    return [
        *(
            f"{each['filename']}: {_last_line(each['stack_trace'])}"
            for each in dags
            if datetime.fromisoformat(each["timestamp"]) >= since
        ),
        *(f"{each['source']}: {_last_line(each['error'])}" for each in plugins),
    ]


def _ask(url: str, *, token: str | None = None, body: Json = None) -> Json:
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode())  # noqa: S310  ours
    request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    with _opener.open(request, timeout=30) as answer:
        return json.load(answer)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]
