"""Resolves the jars that Spark needs beside its own, once, into the cache."""

import contextlib
import fcntl
import os
import re
import shutil
import ssl
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from local.errors import SparkSetupError
from local.spark import (
    COORDINATES,
    cache_folder,
    installed_spark,
    jars_folder,
    java_environment,
    java_home,
    write_properties,
)

_STORE_PASSWORD = "changeit"  # noqa: S105  Java's customary one; the store holds public certificates
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SIGNS_OF_FAILURE = ("PKIX", "UnknownHost", "Connection", "timed out", "not found", "unresolved", "Exception")


def ensure_jars(report: Callable[[str], None]) -> None:
    """Resolves the jars unless that has been done. Raises SparkSetupError."""
    if shutil.which("bash") is None:
        raise SparkSetupError("`bash` is not installed: Spark's launcher is written in it")
    if "LOCAL_CLOUD_JARS" not in os.environ:
        with _one_at_a_time():
            if not (jars_folder() / ".complete").is_file():
                report("resolving Spark's jars (400 MB, once) …")
                _resolve(jars_folder())
    installed_spark()


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "jars.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _resolve(target: Path) -> None:
    """Lets Spark resolve the coordinates; its own report of what failed becomes the error."""
    home = java_home()
    unfinished = target.with_name(f"{target.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    options = [f"-D{name}={value}" for name, value in {**_trust_store(unfinished), **_proxy()}.items()]
    settings = {
        "spark.jars.packages": ",".join(COORDINATES),
        "spark.jars.ivy": str(unfinished / "ivy"),
        "spark.driver.extraJavaOptions": " ".join(options),
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.master": "local[1]",
    }
    if repositories := os.environ.get("LOCAL_CLOUD_MAVEN_REPOSITORIES"):
        settings["spark.jars.repositories"] = repositories
    properties = unfinished / "spark.properties"
    write_properties(properties, settings)
    script = "from pyspark.sql import SparkSession; SparkSession.builder.getOrCreate().stop()"
    result = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **java_environment(home, properties)},
        cwd=unfinished,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    jars = list((unfinished / "ivy" / "jars").glob("*.jar"))
    if result.returncode != 0 or not jars:
        raise SparkSetupError(f"Spark's jars could not be resolved: {_reason(result.stdout + result.stderr)}")
    shutil.rmtree(target, ignore_errors=True)
    (unfinished / "ivy" / "jars").rename(target)
    (target / ".complete").touch()
    shutil.rmtree(unfinished, ignore_errors=True)


def _reason(output: str) -> str:
    """The telling line of a failed resolution, and what to do."""
    advice = "set LOCAL_CLOUD_MAVEN_REPOSITORIES to a mirror or LOCAL_CLOUD_JARS to a folder of jars"
    for sign in _SIGNS_OF_FAILURE:
        for line in output.splitlines():
            if sign in line:
                return f"{line.strip()[:300]}; {advice}"
    return advice


def _proxy() -> dict[str, str]:
    """Java's settings for the proxy that the environment names."""
    settings = {}
    for scheme in ("http", "https"):
        address = os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme.upper()}_PROXY")
        parts = urlsplit(address or "")
        if parts.hostname:
            settings[f"{scheme}.proxyHost"] = parts.hostname
            settings[f"{scheme}.proxyPort"] = str(parts.port or 80)
    return settings


def _trust_store(folder: Path) -> dict[str, str]:
    """Java's settings for trusting whom Python trusts: a company's own authority is not in Java's list."""
    bundle = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or certifi.where()
    certificates: list[pkcs12.PKCS12Certificate] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old authorities have serial numbers that today's rules forbid
        for pem in _PEM.findall(Path(bundle).read_bytes()):
            with contextlib.suppress(ValueError):
                certificate = x509.load_pem_x509_certificate(pem)
                certificates.append(pkcs12.PKCS12Certificate(certificate, str(len(certificates)).encode()))
    if not certificates:
        return {}
    store = folder / "trust.p12"
    store.write_bytes(pkcs12.serialize_java_truststore(certificates, BestAvailableEncryption(_STORE_PASSWORD.encode())))
    return {"javax.net.ssl.trustStore": str(store), "javax.net.ssl.trustStorePassword": _STORE_PASSWORD}
