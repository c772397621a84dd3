"""The server process of a cloud: `python -m local.server STATE_DIR PORT REGION`, which `up` starts."""

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

_SYNC_PERIOD = 0.1  # seconds between two checks for new or deleted event source mappings


def serve(state: StateDir, port: int, region: str) -> None:
    """Serve until SIGTERM or SIGINT, then end every process of the cloud."""
    listener = bind(port)
    endpoint = f"http://{HOST}:{listener.getsockname()[1]}"
    # moto and its libraries read these.
    os.environ["MOTO_PORT"] = str(listener.getsockname()[1])
    credentials = Credentials.random()
    os.environ.update(credentials.environment, AWS_DEFAULT_REGION=region)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    log = CloudLog(state.log_file)
    logging.basicConfig(handlers=[_ToCloudLog(log)], level=logging.WARNING)
    # It logs an error for every Choice with IsPresent, and for every failure that the state machine handles.
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
    for process in find(state.marker):
        process.kill()
    log.close()
    os._exit(0)  # threads of moto and of pools may still be waiting


class _ToCloudLog(logging.Handler):
    """Writes warnings of moto and its libraries to the cloud's log."""

    def __init__(self, log: CloudLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.write("moto", f"{record.levelname.lower()} {record.name}: {record.getMessage()}")


def main(folder: str, port: str, region: str) -> int:
    """Run the server; print an expected error to stderr, which `up` shows."""
    os.umask(0o077)  # other users must not read logs and artifacts
    try:
        serve(StateDir(Path(folder)), int(port), region)
    except ServerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
