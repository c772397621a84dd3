"""Package what AWS needs in addition to template.yaml and the functions: the Glue jobs, and the files of Airflow.

``python -m deploy.package jobs .build/package`` writes ``.build/package/jobs/VERSION/``, and the VERSION to
``.build/package/jobs/version``. It is a digest of the content: the same sources give the same version on every machine,
and the content of a version never changes.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from uv import find_uv_bin

from local.packaging import zip_folder

CHECKOUT = Path(__file__).resolve().parents[1]
_PIN = re.compile(r"^([\w.-]+)(==[^\\\s]+)", re.MULTILINE)


def jobs(checkout: Path, folder: Path) -> None:
    """Write the scripts of the Glue jobs, and the library that they import."""
    for script in (checkout / "glue").glob("*.py"):
        shutil.copy(script, folder)
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([find_uv_bin(), "build", "--quiet", "--wheel", "--out-dir", scratch, checkout], check=True)
        [wheel] = Path(scratch).glob("*.whl")
        shutil.copy(wheel, folder)
    # Spark requires .zip, Python Shell requires .whl; the bytes are the same.
    shutil.copy(folder / wheel.name, folder / "music_streams.zip")


def airflow(checkout: Path, folder: Path) -> None:
    """Write the files for managed Airflow: a folder of DAGs, plugins.zip, and requirements.txt with hashes."""
    shutil.copytree(checkout / "dags", folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "plugins.zip").write_bytes(_plugins(checkout))
    locked = (checkout / "requirements" / "managed-airflow.txt").read_text("utf-8")
    # Without a constraints file, managed Airflow applies Airflow's own, which requires older versions. Pins of the
    # image do not belong in it: pip would replace a package of the image that differs, for which there is no hash.
    constraints = "--constraint /usr/local/airflow/dags/constraints.txt"  # in managed Airflow's folder of DAGs
    (folder / "requirements.txt").write_text(f"{constraints}\n{locked}", "utf-8")
    pins = "".join(f"{name}{version}\n" for name, version in _PIN.findall(locked))
    (folder / "dags" / "constraints.txt").write_text(pins, "utf-8")


def _plugins(checkout: Path) -> bytes:
    """Zip the plug-ins with the package that they and the DAGs import; Airflow adds the folder to its path."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "plugins"
        shutil.copytree(checkout / "plugins", folder)
        shutil.copytree(checkout / "music_streams", folder / "music_streams")
        with (folder / ".airflowignore").open("a", encoding="utf-8") as ignore_file:
            ignore_file.write("/music_streams/\n")  # otherwise Airflow imports its files as plug-ins
        return zip_folder(folder)


PARTS: dict[str, Callable[[Path, Path], None]] = {"jobs": jobs, "airflow": airflow}


def package(part: str, checkout: Path, target: Path) -> str:
    """Build a part into a folder of the target that is named by its content; return that name, 12 hex digits.

    Raises:
        subprocess.CalledProcessError: the library could not be built.
    """
    versions = target / part
    versions.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=versions) as scratch:
        folder = Path(scratch) / part
        folder.mkdir()
        PARTS[part](checkout, folder)
        manifest = json.dumps(_digests(folder), indent=1).encode()
        (folder / "manifest.json").write_bytes(manifest)
        version = hashlib.sha256(manifest).hexdigest()[:12]
        try:
            folder.rename(versions / version)
        except OSError:  # the same content was built before
            if not (versions / version).is_dir():
                raise
        version_file = Path(scratch) / "version"
        version_file.write_text(f"{version}\n", "utf-8")
        version_file.replace(versions / "version")  # atomic: concurrent readers get the old or the new version
    return version


def _digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file by path, sorted."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def main() -> None:
    """Package a part, and print its location."""
    parser = argparse.ArgumentParser(description="Package a part of this checkout into a folder named by its content")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    version = package(arguments.part, CHECKOUT, arguments.target)
    print(f"packaged {arguments.target / arguments.part / version}")


if __name__ == "__main__":
    main()
