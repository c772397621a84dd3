"""Archive the classes that Spark jobs load, so that JVMs start faster: `spark_archive STATE_DIR`.

With the archive, a job's session is ready in half the time. Making it takes as long as ten jobs save, so it is made
once for each machine, in the background, with the lowest priority; until then jobs run without it.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from local.credentials import Credentials
from local.errors import SparkSetupError
from local.gate import MOTO_SETTINGS
from local.log import CloudLog
from local.processes import MARKER, start_detached
from local.spark import (
    GLUE_CATALOG,
    Spark,
    archive_files,
    cache_folder,
    environment_of_run,
    installed_spark,
    settings_of_run,
    warm_up_job,
)
from local.state import StateDir

_HERE = Path(__file__).resolve().parent
_PATIENCE = 900  # seconds
_CONF = {
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    "spark.sql.catalog.warm": "org.apache.iceberg.spark.SparkCatalog",
    "spark.sql.catalog.warm.catalog-impl": GLUE_CATALOG,
    "spark.sql.catalog.warm.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
    "spark.sql.catalog.warm.warehouse": "s3://warm-up/warehouse",
}


def begin_archiving(state: StateDir) -> bool:
    """Start to make the archive in the background unless it exists; return whether it was started."""
    if installed_spark().archive:
        return False
    command = [sys.executable, "-m", "local.spark_archive", str(state.root.resolve())]
    env = {**os.environ, MARKER: state.marker, "PYTHONPATH": str(_HERE.parent)}
    start_detached(command, env=env, cwd=Path.cwd(), output=subprocess.DEVNULL)
    return True


def main(state: StateDir) -> None:
    """Make the archive; a failure is a line in the log, and jobs run without the archive."""
    os.nice(19)
    log = CloudLog(state.log_file)
    # If another process is already making it, there is nothing to do.
    with (cache_folder() / "classes.lock").open("w") as lock, contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            _make(installed_spark())
            log.write("spark", "classes are archived: jobs start faster from now on")
        except (OSError, subprocess.SubprocessError, SparkSetupError) as error:
            output = getattr(error, "stdout", None) or b""
            log.write("spark", f"archiving classes failed: {error}\n{output.decode(errors='replace')}")


def _make(spark: Spark) -> None:
    """Make the archive of the JDK's own classes and, based on it, that of Spark's."""
    base, classes = archive_files(spark.java_home, spark.jars)
    base.parent.mkdir(parents=True, exist_ok=True)
    for unfinished in base.parent.glob("classes-*"):
        shutil.rmtree(unfinished)
    with tempfile.TemporaryDirectory(prefix="classes-", dir=base.parent) as name:
        folder = Path(name)
        if not base.is_file():
            dumped = folder / base.name
            java = str(spark.java_home / "bin" / "java")
            options = ["-Xshare:dump", "-XX:+UseSerialGC", f"-XX:SharedArchiveFile={dumped}"]
            subprocess.run([java, *options], check=True, capture_output=True)
            dumped.rename(base)
        dumped = folder / classes.name
        _warm_up(
            spark, folder, [f"-XX:SharedArchiveFile={base}", f"-XX:ArchiveClassesAtExit={dumped}", "-Xlog:disable"]
        )
        shutil.move(dumped, classes)


def _warm_up(spark: Spark, folder: Path, options: list[str]) -> None:
    """Run a small job on a separate moto server, so that the JVM loads what jobs load."""
    unarchived = Spark(spark.java_home, spark.jars, ())
    endpoint_file = folder / "endpoint"
    credentials = Credentials.random()
    server = subprocess.Popen(
        [sys.executable, "-m", "local.warm_up_server", str(endpoint_file)],
        env={**os.environ, **MOTO_SETTINGS, **credentials.environment, "PYTHONPATH": str(_HERE.parent)},
        stdin=subprocess.PIPE,  # the server ends when this process does
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not endpoint_file.is_file():
            if server.poll() is not None:
                raise OSError("the server of the warm-up job did not start")
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(0.05)
        location = (endpoint_file.read_text(), "us-east-1", credentials, folder)
        settings = settings_of_run(unarchived, _CONF, *location, extra_options=options)
        env = environment_of_run(unarchived, settings, *location)
        inherited = {name: os.environ[name] for name in (MARKER, "PATH") if name in os.environ}
        subprocess.run(
            [sys.executable, str(_HERE / "spark_warm_up.py"), str(warm_up_job())],
            env={**inherited, **env, "PYTHONPATH": str(_HERE.parent)},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=True,
            timeout=_PATIENCE,
        )
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main(StateDir(Path(sys.argv[1])))
