"""The packages of Lambda's Python runtime and no others: a function that lacks a dependency fails here as on AWS."""

import re
import shutil
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

_PROVIDED = ("awslambdaric", "boto3")
_REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?P<rest>.*)$")


def link_runtime(folder: Path) -> None:
    """Fill the folder with links to the packages that every function may import."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for package in _with_dependencies(*_PROVIDED):
        for name in {file.parts[0] for file in package.files or [] if file.parts[0] != ".."} - {"__pycache__"}:
            link = folder / name
            if not link.exists():
                link.symlink_to(Path(str(package.locate_file(name))))


def _with_dependencies(*names: str) -> list[Distribution]:
    packages: dict[str, Distribution] = {}
    wanted = list(names)
    while wanted:
        name = wanted.pop().lower().replace("_", "-")
        if name in packages:
            continue
        try:
            packages[name] = distribution(name)
        except PackageNotFoundError:
            continue  # only needed on other Python versions or platforms
        for requirement in packages[name].requires or []:
            match = _REQUIREMENT.match(requirement)
            if match and "extra ==" not in match["rest"]:
                wanted.append(match["name"])
    return list(packages.values())
