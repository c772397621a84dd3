"""The plug-in that adds the gate to Airflow's API server. Airflow finds it by its entry point."""

from typing import ClassVar

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin
from local_cloud_gate import Gate


class LocalCloudGate(AirflowPlugin):  # type: ignore[misc]  # Airflow is not installed in the environment of mypy
    """The gate, for the port on which the API server listens."""

    name = "local_cloud_gate"
    fastapi_root_middlewares: ClassVar = [
        {"name": "Local cloud gate", "middleware": Gate, "kwargs": {"port": conf.getint("api", "port")}}
    ]
