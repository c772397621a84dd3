"""Everything that runs inside the server in addition to moto."""

import shutil

from local import moto_patches
from local.aws import Aws
from local.event_bus import EventBus
from local.glue_runs import GlueRuns
from local.host import Host
from local.lambda_service import LambdaService
from local.lambda_workers import Workers
from local.log import CloudLog
from local.queue_pollers import EventSources
from local.runtime_packages import link_runtime
from local.state import StateDir


class Cloud:
    """The parts of a running cloud."""

    def __init__(self, state: StateDir, aws: Aws, log: CloudLog) -> None:
        shutil.rmtree(state.scratch, ignore_errors=True)
        state.scratch.mkdir(parents=True)
        link_runtime(state.runtime)
        host = Host(state.scratch, aws, state.marker, log)
        self._workers = Workers(state.functions, state.runtime, host)
        functions = LambdaService(self._workers, aws, log)
        bus = EventBus(functions, aws, log)
        self._runs = GlueRuns(state.glue, host, bus.publish_job_run_end)
        self._sources = EventSources(functions, aws.region, log)
        hooks = moto_patches.Hooks(
            invoke=functions.invoke,
            deliver=bus.deliver,
            publish_object_event=bus.publish_object_event,
            publish_execution_status=bus.publish_execution_status,
            start_job_run=self._runs.start,
            stop_job_run=self._runs.stop,
        )
        moto_patches.apply(hooks)

    def tick(self) -> None:
        """Do the periodic work: start and stop pollers, end idle workers."""
        self._sources.sync()
        self._workers.reap()

    def close(self) -> None:
        """Stop all work."""
        self._sources.stop()
        self._runs.close()
        self._workers.close()
