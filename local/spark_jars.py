"""Download the jars that Spark needs in addition to its own, once, into the cache.

Each must match its SHA-256 in spark_jars.sha256, since the jars run with the developer's permissions.
``python -m local.spark_jars``, which ``make lock`` calls, downloads them again and writes that file.
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

_STORE_PASSWORD = "changeit"  # noqa: S105  Java's default; the store contains public certificates
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_FAILURE_SIGNS = ("PKIX", "UnknownHost", "Connection", "timed out", "not found", "unresolved", "Exception")


def ensure_jars(report: Callable[[str], None]) -> None:
    """Download the jars unless the cache has them. Raises SparkSetupError."""
    if shutil.which("bash") is None:
        raise SparkSetupError("`bash` is not installed: install it to run Spark's launcher")
    if "LOCAL_CLOUD_JARS" not in os.environ:
        cache_folder().mkdir(parents=True, exist_ok=True)
        with (cache_folder() / "jars.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_complete(jars_folder()):
                if not _has_pinned_jars(jars_folder()):
                    report("downloading Spark's jars (400 MB, once) …")
                    _resolve(jars_folder())
                mark_complete(jars_folder())
    installed_spark()


def check_jars(folder: Path) -> None:
    """Compare a folder of jars with the pins. Raises SparkSetupError if one differs, is not pinned, or is missing."""
    resolved, pinned = digests(folder), pins()
    advice = f"no jar is used. If you changed the versions on purpose, pin them with `make lock` ({JARS_LOCK.name})"
    for name in sorted(resolved.keys() | pinned.keys()):
        if name not in resolved:
            raise SparkSetupError(f"Spark's jar {name} is pinned and was not resolved; {advice}")
        if name not in pinned:
            raise SparkSetupError(f"Spark's jar {name} was resolved and is not pinned; {advice}")
        if resolved[name] != pinned[name]:
            raise SparkSetupError(
                f"Spark's jar {name} is not the one that is pinned: its SHA-256 is {resolved[name]}, not {pinned[name]}"
                f"; {advice}"
            )


def pins() -> dict[str, str]:
    """Return the SHA-256 of each pinned jar by its name, in hex digits."""
    lines = JARS_LOCK.read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each jar of a folder by its name, in hex digits."""
    result = {}
    for jar in folder.glob("*.jar"):
        with jar.open("rb") as file:
            result[jar.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return result


def _has_pinned_jars(folder: Path) -> bool:
    """Return whether a folder has the pinned jars, even if they were resolved under other pins or without any."""
    with contextlib.suppress(SparkSetupError):
        check_jars(folder)
        return True
    return False


def _resolve(target: Path) -> None:
    """Download the jars, and move them to the target if they are the pinned ones."""
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
    """Return the subfolder into which Spark downloaded the jars. Raises SparkSetupError with Spark's reason."""
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
    # The gateway is enough to resolve the jars. A session would load classes of jars that are not checked yet.
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
    """Return the line that explains a failed resolution, and what to do."""
    advice = "set LOCAL_CLOUD_MAVEN_REPOSITORIES to a mirror or LOCAL_CLOUD_JARS to a folder of jars"
    for sign in _FAILURE_SIGNS:
        for line in output.splitlines():
            if sign in line:
                return f"{line.strip()[:300]}; {advice}"
    return advice


def _proxy() -> dict[str, str]:
    """Return Java's settings for the proxy that the environment names."""
    settings = {}
    for scheme in ("http", "https"):
        address = os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme.upper()}_PROXY")
        parts = urlsplit(address or "")
        if parts.hostname:
            settings[f"{scheme}.proxyHost"] = parts.hostname
            settings[f"{scheme}.proxyPort"] = str(parts.port or 80)
    return settings


def _trust_store(folder: Path) -> dict[str, str]:
    """Return Java's settings to trust the authorities that Python trusts: Java's list lacks a company's own one."""
    bundle = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or certifi.where()
    certificates: list[pkcs12.PKCS12Certificate] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old authorities have serial numbers that are now invalid
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
    """Download the jars and pin them."""
    with tempfile.TemporaryDirectory() as folder:
        resolved = digests(_resolved(Path(folder)))
    JARS_LOCK.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(resolved.items())))


if __name__ == "__main__":
    main()
