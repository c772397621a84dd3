"""A container engine of the tests' own: found, or unpacked from Debian's packages without installing them."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from tests.functions import ROOT

PACKAGES = ("docker.io", "containerd", "runc", "libdevmapper1.02.1")
PROGRAMS = ("dockerd", "docker", "docker-proxy", "containerd", "containerd-shim-runc-v2", "runc")
NAMESPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
"""In which the engine and all that it starts live, and end."""
UNPACKED = ROOT / ".build" / "tools" / "docker"


class NoEngine(Exception):
    """No container engine can be started here; the message says why."""


def engine_environment() -> dict[str, str]:
    """PATH and library path with which the engine's programs are found. Raises NoEngine."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise NoEngine(f"the functions are built for Linux on x86_64, this is {platform.system()} {platform.machine()}")
    if os.geteuid() != 0:
        raise NoEngine("a container engine of one's own needs root")
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    for program, package in {"unshare": "util-linux", "ip": "iproute2"}.items():
        if shutil.which(program, path=path) is None:
            raise NoEngine(f"`{program}` of {package} is missing")
    probe = subprocess.run([*NAMESPACES, "true"], env={"PATH": path}, capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        raise NoEngine(f"namespaces are not to be had: {probe.stderr.strip()}")
    if all(shutil.which(program, path=path) for program in PROGRAMS):
        return {"PATH": path}
    _unpack()
    return {
        "PATH": f"{UNPACKED}/usr/bin:{UNPACKED}/usr/sbin:{path}",
        "LD_LIBRARY_PATH": f"{UNPACKED}/lib/x86_64-linux-gnu:{UNPACKED}/usr/lib/x86_64-linux-gnu",
    }


def remove_cgroups(name: str) -> None:
    """Remove the control groups of a session whose namespaces have ended: an engine leaves some, of each hierarchy."""
    hierarchies = Path("/sys/fs/cgroup")
    for top in [*hierarchies.glob(name), *hierarchies.glob(f"*/{name}")]:
        for group in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
            group.rmdir()
        top.rmdir()


def _unpack() -> None:
    if all((UNPACKED / "usr" / "sbin" / program).exists() for program in ("dockerd", "runc")):
        return
    if shutil.which("apt-get") is None:
        raise NoEngine("dockerd is not installed, and there is no apt-get to fetch Debian's")
    packages = UNPACKED / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    for command in (["apt-get", "update", "-qq"], ["apt-get", "download", "-qq", *PACKAGES]):
        done = subprocess.run(command, cwd=packages, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NoEngine(f"{' '.join(command)}: {done.stderr.strip()}")
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", package, UNPACKED], check=True)
