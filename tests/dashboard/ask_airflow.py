"""Run by an Airflow's own Python: prints what the dashboard answers to users of Airflow, by their role."""

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
    """Whoever comes so far was let in."""
    raise NoPipeline("there is none")


try:  # Airflow asks its database whether a token was revoked, from 3.2 on
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
    for sent in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"_token={token}"}):
        found = {address: client.get(f"/music-streams{address}", headers=sent) for address in ADDRESSES}
        statuses = {address: answer.status_code for address, answer in found.items()}
        answers.setdefault(name, {})[next(iter(sent))] = statuses
        page = found[ADDRESSES[0]].text if role is None else page
print(json.dumps({"answers": answers, "page": page}))
