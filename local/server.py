"""The one process of a cloud: `python -m local.server STATE_DIR PORT REGION`, started by `up`."""

import logging
import os
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import psutil

from local.aws import Aws
from local.callers import Callers
from local.credentials import Credentials
from local.errors import ServerError
from local.hosting import Cloud
from local.log import CloudLog
from local.processes import find
from local.state import ServerRecord, StateDir
from local.web import HOST, bind, moto_server

_SYNC_PERIOD = 0.1  # seconds between two looks for new or deleted event source mappings


def serve(state: StateDir, port: int, region: str) -> None:
    """Serves until SIGTERM or SIGINT, then ends every process it started."""
    listener = bind(port)
    endpoint = f"http://{HOST}:{listener.getsockname()[1]}"
    # moto and what it calls read these.
    os.environ["MOTO_PORT"] = str(listener.getsockname()[1])
    credentials = Credentials.random()
    os.environ.update(credentials.environment, AWS_DEFAULT_REGION=region)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    log = CloudLog(state.log_file)
    logging.basicConfig(handlers=[_ToCloudLog(log)], level=logging.WARNING)
    # Logs an error for every Choice that asks whether something is there, and for every failure the machine handles.
    logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)

    cloud = Cloud(state, Aws(endpoint, region, credentials), log)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    web = moto_server(listener, credentials.access_key_id, lambda moto: Callers(moto, state.calls_file))
    threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True).start()
    process = psutil.Process()
    state.record_server(ServerRecord(process.pid, process.create_time(), endpoint, region, **asdict(credentials)))
    log.write("cloud", f"serving at {endpoint}, process {process.pid}")
    while not stopping.wait(_SYNC_PERIOD):
        cloud.tick()
    log.write("cloud", "stopping")
    cloud.close()
    for left in find(state.marker):
        left.kill()
    log.close()
    os._exit(0)  # threads of moto and of pools may still wait for what will not come


class _ToCloudLog(logging.Handler):
    """Warnings of moto and its libraries, as lines of the one log."""

    def __init__(self, log: CloudLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.write("moto", f"{record.levelname.lower()} {record.name}: {record.getMessage()}")


def main(folder: str, port: str, region: str) -> int:
    """Errors meant for the user go to stderr, which `up` shows."""
    os.umask(0o077)  # logs and artifacts may hold what no other user should read
    try:
        serve(StateDir(Path(folder)), int(port), region)
    except ServerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
