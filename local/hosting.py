"""Everything that runs inside the server beside moto, wired together."""

import shutil

from local import moto_patches
from local.aws import ACCOUNT, Aws
from local.event_bus import EventBus
from local.event_sources import EventSources
from local.glue_runs import GlueRuns
from local.host import Host
from local.lambda_service import LambdaService
from local.lambda_workers import Workers
from local.log import CloudLog
from local.loose_types import Json, Moto
from local.runtime_packages import link_runtime
from local.state import StateDir


class Cloud:
    """The parts of a running cloud, as moto's patches call them."""

    def __init__(self, state: StateDir, aws: Aws, log: CloudLog) -> None:
        shutil.rmtree(state.scratch, ignore_errors=True)
        state.scratch.mkdir(parents=True)
        link_runtime(state.runtime)
        host = Host(state.scratch, aws, state.marker, log)
        self._workers = Workers(state.functions, state.runtime, host)
        self._functions = LambdaService(self._workers, aws, ACCOUNT, log)
        self._bus = EventBus(self._functions, aws, ACCOUNT, log)
        self._runs = GlueRuns(state.glue, host, self._bus.job_run_ended)
        moto_patches.apply(self)
        self._sources = EventSources(self._functions, ACCOUNT, aws.region, log)

    def tick(self) -> None:
        """What has to be looked after now and then."""
        self._sources.sync()
        self._workers.reap()

    def close(self) -> None:
        """Ends all work in progress."""
        self._sources.stop()
        self._runs.close()
        self._workers.close()

    def invoke(self, function: Moto, body: bytes, headers: Json, response_headers: dict[str, str]) -> bytes:
        """Lambda Invoke."""
        return self._functions.invoke(function, body, headers, response_headers)

    def deliver(self, rule: Moto, event: dict[str, Json]) -> None:
        """An event that may match the rule."""
        self._bus.deliver(rule, event)

    def object_event(self, account: str, bucket: Moto, event_name: str, key: Moto) -> None:
        """Something happened to an object."""
        self._bus.object_event(account, bucket, event_name, key)

    def execution_changed(self, execution: Moto) -> None:
        """An execution started or ended."""
        self._bus.execution_changed(execution)

    def start_job_run(self, job: Moto, run: Moto) -> None:
        """A Glue run was accepted."""
        self._runs.start(job, run)

    def stop_job_run(self, run: Moto) -> None:
        """A Glue run shall stop."""
        self._runs.stop(run)
