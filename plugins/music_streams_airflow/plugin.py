"""The Airflow plug-in: the dashboard at /music-streams/, in the navigation, and as a tab of DAG runs.

Airflow imports this file in each of its processes. The dashboard itself is imported at its first request.
"""

from functools import cache
from typing import Any, ClassVar
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from music_streams_airflow.days_on_request import DaysOnRequest

PREFIX = "/music-streams"


@cache
def _app() -> Any:  # noqa: ANN401 - a FastAPI app, which is not imported yet
    from music_streams_airflow.dashboard.app import create_app
    from music_streams_airflow.dashboard.guard import airflow_login

    return create_app(airflow_login())


class Dashboard:
    """ASGI app that creates the dashboard at its first request."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - the types of ASGI
        """Answer a request."""
        await _app()(scope, receive, send)


def _address(path: str) -> str:
    """Return an address below Airflow's base URL, which may have a path."""
    base: str = conf.get("api", "base_url", fallback="")
    return urlsplit(base).path.rstrip("/") + PREFIX + path


class MusicStreamsPlugin(AirflowPlugin):  # type: ignore[misc]  # Airflow is not installed where types are checked
    """What Airflow registers. Versions before 3.1 have no external views; the page has its address there too."""

    name = "music_streams"
    timetables: ClassVar = [DaysOnRequest]
    fastapi_apps: ClassVar = [{"app": Dashboard(), "url_prefix": PREFIX, "name": "Music streams"}]
    external_views: ClassVar = [
        {
            "name": "Music streams",
            "href": _address("/"),
            "destination": "nav",
            "nav_top_level": True,
            "url_route": "music-streams",
        },
        {
            "name": "Reconciliation",
            "href": _address("/runs?dag={DAG_ID}&run={RUN_ID}"),
            "destination": "dag_run",
            "url_route": "reconciliation",
        },
    ]
