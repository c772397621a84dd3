"""A container engine for the tests: an installed one, or one unpacked from Debian's packages."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from tests.functions import ROOT

PACKAGES = ("docker.io", "containerd", "runc", "libdevmapper1.02.1")
PROGRAMS = ("dockerd", "docker", "docker-proxy", "containerd", "containerd-shim-runc-v2", "runc")
NAMESPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
"""The namespaces of the engine and its processes, which end with them."""
UNPACKED = ROOT / ".build" / "tools" / "docker"


class NoEngine(Exception):
    """No container engine can be started here; the message says why."""


def engine_environment() -> dict[str, str]:
    """Return PATH and library path for the engine's programs. Raises NoEngine."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise NoEngine(f"the functions are built for Linux on x86_64, this is {platform.system()} {platform.machine()}")
    if os.geteuid() != 0:
        raise NoEngine("starting a container engine requires root")
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    for program, package in {"unshare": "util-linux", "ip": "iproute2"}.items():
        if shutil.which(program, path=path) is None:
            raise NoEngine(f"`{program}` is missing: install {package}")
    probe = subprocess.run([*NAMESPACES, "true"], env={"PATH": path}, capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        raise NoEngine(f"namespaces cannot be created: {probe.stderr.strip()}")
    if all(shutil.which(program, path=path) for program in PROGRAMS):
        return {"PATH": path}
    _unpack()
    return {
        "PATH": f"{UNPACKED}/usr/bin:{UNPACKED}/usr/sbin:{path}",
        "LD_LIBRARY_PATH": f"{UNPACKED}/lib/x86_64-linux-gnu:{UNPACKED}/usr/lib/x86_64-linux-gnu",
    }


def remove_cgroups(name: str) -> None:
    """Remove the control groups that the engine of an ended session leaves in each hierarchy."""
    hierarchies = Path("/sys/fs/cgroup")
    for top in [*hierarchies.glob(name), *hierarchies.glob(f"*/{name}")]:
        for group in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
            group.rmdir()
        top.rmdir()


def _unpack() -> None:
    if all((UNPACKED / "usr" / "sbin" / program).exists() for program in ("dockerd", "runc")):
        return
    if shutil.which("apt-get") is None:
        raise NoEngine("dockerd is not installed, and there is no apt-get to download it")
    packages = UNPACKED / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    for command in (["apt-get", "update", "-qq"], ["apt-get", "download", "-qq", *PACKAGES]):
        done = subprocess.run(command, cwd=packages, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NoEngine(f"{' '.join(command)}: {done.stderr.strip()}")
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", package, UNPACKED], check=True)
