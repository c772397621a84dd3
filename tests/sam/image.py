"""The Lambda base image, made from a Python on this machine without an image registry.

It contains the runtime (the interpreter, boto3, the runtime interface client) and the few programs that SAM needs to
add its emulator.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.functions import ROOT

_UV = Path(sys.executable).with_name("uv")
_FOLDERS = ("bin", "tmp", "etc", "usr/bin", "proc", "sys", "dev", "opt", "var/task", "var/rapid", "var/lang/bin")
_TOOLS = ("sh", "mv", "chmod")
_LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "test", "site-packages", "dist-packages", "idlelib", "*tkinter*", "*.a"
)
_NAME_SERVICE = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")
_LIBRARY = re.compile(r"(/\S+\.so\S*)")
_BOOTSTRAP = """#!/var/lang/bin/python3
import os, sys
sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], os.environ["LAMBDA_RUNTIME_DIR"]]
from awslambdaric.__main__ import main
main([__file__, os.environ["_HANDLER"]])
"""
SETTINGS = (
    "ENV PATH=/var/lang/bin:/usr/bin:/bin",
    "ENV PYTHONHOME=/var/lang",
    "ENV LD_LIBRARY_PATH=/var/lang/lib",
    "ENV LANG=C.UTF-8",
    "ENV TZ=:UTC",
    "ENV LAMBDA_TASK_ROOT=/var/task",
    "ENV LAMBDA_RUNTIME_DIR=/var/runtime",
    "WORKDIR /var/task",
    'ENTRYPOINT ["/var/runtime/bootstrap"]',
)


def python_for(runtime: str) -> Path:
    """Return the interpreter of a Lambda runtime ("python3.12") if this machine has it, else the current one."""
    version = runtime.removeprefix("python")
    command = [str(_UV), "python", "find", "--offline", "--no-python-downloads", "--no-project", "--system", version]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return Path(result.stdout.strip()) if result.returncode == 0 else Path(sys.executable)


def make_root(root: Path, python: Path) -> None:
    """Fill a folder with the file system of the image."""
    lang, runtime = root / "var" / "lang", root / "var" / "runtime"
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    executable, standard_library, version = _layout(python)
    shutil.copy(executable, lang / "bin" / "python3")
    shutil.copytree(standard_library, lang / "lib" / version, ignore=_LEFT_OUT, symlinks=True)
    (lang / "lib" / version / "site-packages").mkdir()
    # The same versions as in the local cloud
    install: list[str | Path] = [_UV, "pip", "install", "--quiet", "--constraint", ROOT / "requirements" / "dev.txt"]
    subprocess.run([*install, "--python", executable, "--target", runtime, "awslambdaric", "boto3"], check=True)
    bootstrap = runtime / "bootstrap"
    bootstrap.write_text(_BOOTSTRAP)
    bootstrap.chmod(0o755)
    for tool in _TOOLS:
        shutil.copy(str(shutil.which(tool)), root / "bin" / tool)
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/:/bin/sh\nsbx_user1051:x:993:990::/:/bin/sh\n")
    (root / "etc" / "nsswitch.conf").write_text("hosts: files dns\n")
    _copy_libraries(root, [executable, *root.rglob("*.so"), *(Path("/bin") / tool for tool in _TOOLS)])


def _layout(python: Path) -> tuple[Path, Path, str]:
    """Return an environment's base interpreter, its standard library, and that folder's name."""
    script = "import json, sys, sysconfig; print(json.dumps([sys.base_prefix, sysconfig.get_path('stdlib')]))"
    prefix, library = json.loads(subprocess.run([python, "-c", script], capture_output=True, check=True).stdout)
    name = Path(library).name
    return Path(prefix) / "bin" / name, Path(library), name


def _copy_libraries(root: Path, binaries: list[Path]) -> None:
    needed = {path for name in _NAME_SERVICE for path in [f"/lib/x86_64-linux-gnu/{name}"] if Path(path).exists()}
    for binary in binaries:
        linked = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False)
        needed |= {path for path in _LIBRARY.findall(linked.stdout) if Path(path).is_file()}
    for library in sorted(needed - {str(binary) for binary in binaries}):
        if not library.startswith(str(root)):
            copy = root / library.lstrip("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, copy)
