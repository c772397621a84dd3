"""Airflow's files in a cloud's state folder, and the environment of its processes.

postgres/           its database            logs/             a log for each process and task
secrets.json        created once            passwords.json    of the only user, new at each start
airflow.json        the URL of the running Airflow
"""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from local.processes import MARKER
from local.state import ServerRecord, StateDir, write_json

HOST = "127.0.0.1"
USER = "admin"
GATE = Path(__file__).parent / "airflow_gate"
"""The folder of the plug-in that refuses websites. Airflow finds it on PYTHONPATH by its entry point."""

_PASSWORD_BYTES = 16
_PASSED_ON = ("HOME", "LANG", "PATH", "TMPDIR")


class AirflowHome:
    """The paths of one cloud's Airflow."""

    def __init__(self, state: StateDir) -> None:
        self.state = state
        self.root = state.root.absolute() / "airflow"
        self.database = self.root / "postgres"
        self.migrated = self.root / "migrated"  # the version of Airflow to which the database was migrated
        self.logs = self.root / "logs"
        self.passwords_file = self.root / "passwords.json"
        self.record_file = self.root / "airflow.json"

    @property
    def password(self) -> str:
        """The user's password since the last start."""
        return str(json.loads(self.passwords_file.read_text())[USER])

    def log(self, process: str) -> Path:
        """Return the file with the output of a process."""
        return self.logs / f"{process}.log"

    def prepare(self) -> "Secrets":
        """Create the folder, a new password, and on the first start the secrets."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.logs.mkdir(exist_ok=True)
        # The gate keeps websites out; the password must keep out other users of this machine.
        write_json(self.passwords_file, {USER: secrets.token_urlsafe(_PASSWORD_BYTES)})
        return Secrets.of(self.root / "secrets.json")


@dataclass(frozen=True)
class Secrets:
    """What the processes of Airflow authenticate with.

    Attributes:
        tokens: signs the tokens of the API; 128 characters, as Airflow requires at least 64 bytes.
        sessions: signs the sessions of browsers.
        database: password of the database.
    """

    tokens: str
    sessions: str
    database: str

    @classmethod
    def of(cls, file: Path) -> "Secrets":
        """Return the secrets in the file; create it, readable for its owner only, if it is missing."""
        if not file.is_file():  # a new secret would deny us the database and end browser sessions
            write_json(file, {name: secrets.token_hex(64) for name in ("tokens", "sessions", "database")})
        return cls(**json.loads(file.read_text()))


@dataclass(frozen=True)
class Launch:
    """The settings of a start of Airflow.

    Attributes:
        python: the interpreter of the environment in which Airflow is installed.
        dags: folder of the DAGs.
        plugins: folder of the plug-ins.
        pythonpath: folder of the packages that DAGs and plug-ins import.
        port: of the API and the user interface.
    """

    python: Path
    dags: Path
    plugins: Path
    pythonpath: Path
    port: int

    @property
    def url(self) -> str:
        """The address of the API and the user interface."""
        return f"http://{HOST}:{self.port}"


def environment(
    home: AirflowHome, launch: Launch, cloud: ServerRecord, keys: Secrets, database_url: str
) -> dict[str, str]:
    """Return the whole environment of Airflow's processes and tasks. It contains none of the user's own settings."""
    settings = {
        # No page of another origin may call the API or read its responses.
        "API__ACCESS_CONTROL_ALLOW_HEADERS": "",
        "API__ACCESS_CONTROL_ALLOW_METHODS": "",
        "API__ACCESS_CONTROL_ALLOW_ORIGINS": "",
        "API__HOST": HOST,
        "API__PORT": str(launch.port),
        "API__SECRET_KEY": keys.sessions,
        "API__WORKERS": "1",
        "API_AUTH__JWT_SECRET": keys.tokens,
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__DAGS_FOLDER": str(launch.dags.absolute()),
        "CORE__EXECUTION_API_SERVER_URL": f"{launch.url}/execution/",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__PARALLELISM": "4",  # each task uses 100 MB
        "CORE__PLUGINS_FOLDER": str(launch.plugins.absolute()),
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home.passwords_file),
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "5",  # seconds until a new file is found
        "DATABASE__SQL_ALCHEMY_CONN": database_url,
        "LOGGING__BASE_LOG_FOLDER": str(home.logs),
        "LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home.logs / "dag_processor"),
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
        **cloud.credentials.environment_at(cloud.endpoint, cloud.region),
        "AIRFLOW_HOME": str(home.root),
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",  # reads endpoint and credentials from this environment
        "LOCAL_CLOUD_STATE": str(home.state.root.absolute()),
        MARKER: home.state.marker,
        "NO_COLOR": "1",
        "NO_PROXY": "localhost,127.0.0.1",
        "PYTHONPATH": os.pathsep.join([str(launch.pythonpath.absolute()), str(GATE.absolute())]),
        "PYTHONUNBUFFERED": "1",
        # Otherwise setproctitle overwrites the environment that others see, and `down` cannot find the process.
        "SPT_NOENV": "1",
    }
