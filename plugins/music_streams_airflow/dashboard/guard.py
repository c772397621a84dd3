"""Access to the dashboard: for users logged in to Airflow who may read the DAG that monitors the pipeline."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request

RECONCILER = "reconcile_streams"
"""The DAG whose reports the dashboard shows. Who may read its runs may read the dashboard."""


class MayNotRead(HTTPException):
    """The user is logged in to Airflow, but may not read the DAG."""

    def __init__(self) -> None:
        super().__init__(403, f"no read access to the DAG {RECONCILER}")


@dataclass(frozen=True)
class Login:
    """How to get the user of a request.

    Attributes:
        get_user: a dependency that raises HTTPException(401) if a request has no valid login, MayNotRead if its user
            may not see the dashboard.
        is_kept_by_page: whether the browser has the login in Airflow's page, not in a cookie that it sends each time.
    """

    get_user: Callable[..., Any]
    is_kept_by_page: bool = False


def airflow_login() -> Login:
    """Return the login of the Airflow that this runs in, with its auth manager's authorization."""
    import airflow  # noqa: PLC0415 - installed only with Airflow
    from airflow.api_fastapi.core_api import security  # noqa: PLC0415

    if tuple(map(int, airflow.__version__.split(".")[:2])) >= (3, 1):
        return Login(_reader(security.get_user))

    async def get_user(request: Request) -> Any:  # noqa: ANN401 - Airflow's user
        """Read the token as Airflow 3.0 does, or from the cookie that the login page sets (login_required.js)."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        token = token if scheme.lower() == "bearer" else request.cookies.get("_token", "")
        if not token:
            raise HTTPException(401, "Not authenticated")
        return await security.get_user(token)

    return Login(_reader(get_user), is_kept_by_page=True)


def _reader(get_user: Callable[..., Any]) -> Callable[..., Any]:
    """Return a dependency that returns the user of a request if the auth manager lets that user read the DAG."""

    # Not async: an auth manager may make network calls.
    def reader(user: Annotated[Any, Depends(get_user)]) -> Any:  # noqa: ANN401 - Airflow's user
        from airflow.api_fastapi.app import get_auth_manager  # noqa: PLC0415 - as above
        from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails  # noqa: PLC0415

        details = DagDetails(id=RECONCILER, **_team())
        if not get_auth_manager().is_authorized_dag(method="GET", details=details, user=user):
            raise MayNotRead
        return user

    return reader


def _team() -> dict[str, str | None]:
    """Return the team that owns the DAG, if Airflow has teams."""
    from airflow.configuration import conf  # noqa: PLC0415 - as above

    if not conf.getboolean("core", "multi_team", fallback=False):
        return {}
    from airflow.models import DagModel  # noqa: PLC0415

    return {"team_name": DagModel.get_team_name(RECONCILER)}
