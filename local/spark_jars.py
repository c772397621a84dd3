"""Resolves the jars that Spark needs beside its own, once, into the cache.

Each must have the SHA-256 that spark_jars.sha256 pins: they run as whoever works here. ``python -m local.spark_jars``
resolves them again and writes that file; ``make lock`` does it.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from local.errors import SparkSetupError
from local.spark import (
    COORDINATES,
    JARS_LOCK,
    cache_folder,
    installed_spark,
    is_complete,
    jars_folder,
    java_environment,
    java_home,
    mark_complete,
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
        cache_folder().mkdir(parents=True, exist_ok=True)
        with (cache_folder() / "jars.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_complete(jars_folder()):
                if not _has_pinned_jars(jars_folder()):
                    report("resolving Spark's jars (400 MB, once) …")
                    _resolve(jars_folder())
                mark_complete(jars_folder())
    installed_spark()


def check_jars(folder: Path) -> None:
    """Hold a folder of jars against the pins.

    Raises:
        SparkSetupError: a jar is another than the pinned one, is not pinned, or is missing; it names the jar.
    """
    found, pinned = digests(folder), pins()
    advice = (
        f"it was not put into use; where the versions were changed on purpose, pin them: make lock ({JARS_LOCK.name})"
    )
    for name in sorted(found.keys() | pinned.keys()):
        if name not in found:
            raise SparkSetupError(f"Spark's jar {name} is pinned and was not resolved; {advice}")
        if name not in pinned:
            raise SparkSetupError(f"Spark's jar {name} was resolved and is not pinned; {advice}")
        if found[name] != pinned[name]:
            raise SparkSetupError(
                f"Spark's jar {name} is not the one that is pinned: its SHA-256 is {found[name]}, not {pinned[name]}; "
                f"{advice}"
            )


def pins() -> dict[str, str]:
    """The SHA-256 of each pinned jar by its name, in hex digits."""
    lines = JARS_LOCK.read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each jar of a folder by its name, in hex digits."""
    found = {}
    for jar in folder.glob("*.jar"):
        with jar.open("rb") as file:
            found[jar.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _has_pinned_jars(folder: Path) -> bool:
    """Whether the jars were resolved before there were pins, or under other ones, and are the right ones."""
    with contextlib.suppress(SparkSetupError):
        check_jars(folder)
        return True
    return False


def _resolve(target: Path) -> None:
    """Lets Spark resolve the coordinates, and moves the jars to the target if they are the pinned ones."""
    unfinished = target.with_name(f"{target.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        jars = _resolved(unfinished)
        check_jars(jars)
        shutil.rmtree(target, ignore_errors=True)
        jars.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _resolved(folder: Path) -> Path:
    """The folder, below the given one, into which Spark resolved the jars; what it says of a failure is the error."""
    home = java_home()
    options = [f"-D{name}={value}" for name, value in {**_trust_store(folder), **_proxy()}.items()]
    settings = {
        "spark.jars.packages": ",".join(COORDINATES),
        "spark.jars.ivy": str(folder / "ivy"),
        "spark.driver.extraJavaOptions": " ".join(options),
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.master": "local[1]",
    }
    if repositories := os.environ.get("LOCAL_CLOUD_MAVEN_REPOSITORIES"):
        settings["spark.jars.repositories"] = repositories
    properties = folder / "spark.properties"
    write_properties(properties, settings)
    # Spark resolves before it starts its JVM's server. A session would load classes of jars that nobody has checked.
    script = "from pyspark.java_gateway import launch_gateway; launch_gateway().shutdown()"
    result = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **java_environment(home, properties)},
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    jars = folder / "ivy" / "jars"
    if result.returncode != 0 or not any(jars.glob("*.jar")):
        raise SparkSetupError(f"Spark's jars could not be resolved: {_reason(result.stdout + result.stderr)}")
    return jars


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


def main() -> None:
    """Resolve the jars and pin what comes."""
    with tempfile.TemporaryDirectory() as folder:
        found = digests(_resolved(Path(folder)))
    JARS_LOCK.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(found.items())))


if __name__ == "__main__":
    main()
