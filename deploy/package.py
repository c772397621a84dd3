"""Packages what AWS takes of this checkout beside template.yaml and the functions.

``python -m deploy.package jobs .build/package`` writes ``.build/package/jobs/VERSION/`` and, in
``.build/package/jobs/version``, that VERSION: a digest of the content. The same sources give the same version on every
machine, other sources another one, so that what a version names never changes.
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
    """The scripts of the Glue jobs, and the library that both import."""
    for script in (checkout / "glue").glob("*.py"):
        shutil.copy(script, folder)
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([find_uv_bin(), "build", "--quiet", "--wheel", "--out-dir", scratch, checkout], check=True)
        [wheel] = Path(scratch).glob("*.whl")
        shutil.copy(wheel, folder)
    # Spark takes .zip, Python Shell takes .whl: the same bytes
    shutil.copy(folder / wheel.name, folder / "music_streams.zip")


def airflow(checkout: Path, folder: Path) -> None:
    """Write what managed Airflow takes: a folder of DAGs, plugins.zip, and requirements.txt with hashes."""
    shutil.copytree(checkout / "dags", folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "plugins.zip").write_bytes(_plugins(checkout))
    locked = (checkout / "requirements" / "managed-airflow.txt").read_text("utf-8")
    # Managed Airflow wants a constraints file, else it applies Airflow's own, which asks for older versions. Pins of
    # the image do not belong there: pip would replace a package of the image that differs, for which there is no hash.
    constraints = "--constraint /usr/local/airflow/dags/constraints.txt"  # where it puts the folder of DAGs
    (folder / "requirements.txt").write_text(f"{constraints}\n{locked}", "utf-8")
    pins = "".join(f"{name}{version}\n" for name, version in _PIN.findall(locked))
    (folder / "dags" / "constraints.txt").write_text(pins, "utf-8")


def _plugins(checkout: Path) -> bytes:
    """The plug-ins with the package that they and the DAGs import: Airflow has the folder on its path."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "plugins"
        shutil.copytree(checkout / "plugins", folder)
        shutil.copytree(checkout / "music_streams", folder / "music_streams")
        with (folder / ".airflowignore").open("a", encoding="utf-8") as ignored:
            ignored.write("/music_streams/\n")  # else Airflow imports its every file as a plug-in
        return zip_folder(folder)


PARTS: dict[str, Callable[[Path, Path], None]] = {"jobs": jobs, "airflow": airflow}


def package(part: str, checkout: Path, target: Path) -> str:
    """Build a part into a folder of the target that is named by its content; answers that name, 12 hex digits.

    Raises:
        subprocess.CalledProcessError: the library could not be built.
    """
    place = target / part
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        folder = Path(scratch) / part
        folder.mkdir()
        PARTS[part](checkout, folder)
        manifest = json.dumps(_digests(folder), indent=1).encode()
        (folder / "manifest.json").write_bytes(manifest)
        version = hashlib.sha256(manifest).hexdigest()[:12]
        try:
            folder.rename(place / version)
        except OSError:  # it was built before: the same content, nothing to do
            if not (place / version).is_dir():
                raise
        named = Path(scratch) / "version"
        named.write_text(f"{version}\n", "utf-8")
        named.replace(place / "version")  # whoever reads it meanwhile finds the old one or the new one
    return version


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 by path, in order."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="What AWS takes of this checkout, in folders named by their content")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    version = package(arguments.part, CHECKOUT, arguments.target)
    print(f"packaged {arguments.target / arguments.part / version}")


if __name__ == "__main__":
    main()
