"""Lists the package's files that a handler needs: ``python modules.py validate/app.py``, in this folder.

They are the modules that it imports, directly or indirectly, and the .toml file of the same name that a module reads.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "music_streams"


def files_of(script: Path, root: Path) -> list[Path]:
    """Return the sorted paths of the package's files that a script needs, relative to the package's parent folder."""
    needed: set[Path] = set()
    unread = [script]
    while unread:
        added = {file for name in _imported(unread.pop()) for file in _files(root, name)} - needed
        needed |= added
        unread.extend(file for file in added if file.suffix == ".py")
    return sorted(file.relative_to(root) for file in needed)


def _imported(file: Path) -> Iterator[str]:
    """Yield the package's names that a module imports at run time, without imports under TYPE_CHECKING."""
    nodes: list[ast.AST] = [ast.parse(file.read_text("utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes.extend(node.orelse)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            nodes.extend(ast.iter_child_nodes(node))


def _files(root: Path, name: str) -> Iterator[Path]:
    """Yield the file of a module (or of the module that defines the name), its .toml file and its parent packages."""
    path = root
    for part in name.split("."):
        path = path / part
        candidates = path / "__init__.py", path.with_suffix(".py"), path.with_suffix(".toml")
        yield from (candidate for candidate in candidates if candidate.is_file())


if __name__ == "__main__":
    print(*files_of(Path(sys.argv[1]), Path(__file__).resolve().parents[1]), sep="\n")
