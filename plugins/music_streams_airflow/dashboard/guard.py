"""Who may see the dashboard: whoever is logged in to Airflow."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException, Request


@dataclass(frozen=True)
class Login:
    """How a request tells its user.

    Attributes:
        get_user: a dependency that raises HTTPException(401) where a request has no valid login.
        is_kept_by_page: whether it is Airflow's page that keeps the login, not a cookie that comes with each request.
    """

    get_user: Callable[..., Any]
    is_kept_by_page: bool = False


def airflow_login() -> Login:
    """The login of the Airflow that this runs in."""
    import airflow  # noqa: PLC0415 - only where Airflow is
    from airflow.api_fastapi.core_api import security  # noqa: PLC0415

    if tuple(map(int, airflow.__version__.split(".")[:2])) >= (3, 1):
        return Login(security.get_user)

    async def get_user(request: Request) -> Any:  # noqa: ANN401 - Airflow's user
        """As Airflow 3.0 does it, or by the cookie in which the page of refusal hands the login on (refused.js)."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        token = token if scheme.lower() == "bearer" else request.cookies.get("_token", "")
        if not token:
            raise HTTPException(401, "Not authenticated")
        return await security.get_user(token)

    return Login(get_user, is_kept_by_page=True)
