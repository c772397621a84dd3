"""Print the dashboard's answers to users of Airflow, by their role. Runs with Airflow's own Python."""

import json
import sys
from typing import Any

from airflow import settings
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from fastapi import FastAPI
from fastapi.testclient import TestClient
from music_streams_airflow.dashboard.app import create_app
from music_streams_airflow.dashboard.guard import airflow_login

from music_streams.errors import NoPipeline

ADDRESSES = json.loads(sys.argv[1])
ROLES: dict[str, str | None] = {"none": None, "viewer": "viewer", "user": "user", "op": "op", "admin": "admin"}


def no_pipeline() -> Any:
    raise NoPipeline("only authorized requests get here")


try:  # since 3.2 Airflow looks up revoked tokens in its database
    from airflow.models.revoked_token import RevokedToken
except ImportError:
    pass
else:
    RevokedToken.__table__.create(settings.engine)

manager: BaseAuthManager = create_auth_manager()
outer = FastAPI()
outer.state.auth_manager = manager
outer.mount("/music-streams", create_app(airflow_login(), no_pipeline))
client = TestClient(outer)
answers: dict[str, dict[str, dict[str, int]]] = {}
page = ""
for name, role in ROLES.items():
    token = manager.generate_jwt(SimpleAuthManagerUser(username=name, role=role))
    for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"_token={token}"}):
        responses = {address: client.get(f"/music-streams{address}", headers=headers) for address in ADDRESSES}
        statuses = {address: response.status_code for address, response in responses.items()}
        answers.setdefault(name, {})[next(iter(headers))] = statuses
        page = responses[ADDRESSES[0]].text if role is None else page
print(json.dumps({"answers": answers, "page": page}))
