"""Lists the files of the package that a handler needs: ``python modules.py validate/app.py``, in this folder.

Those are the modules that it imports and all that these import, and the table that a module reads: .toml, of its name.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "music_streams"


def files_of(script: Path, root: Path) -> list[Path]:
    """The package's files that a script needs, below the folder that holds the package, in order."""
    needed: set[Path] = set()
    waiting = [script]
    while waiting:
        found = {file for name in _imported(waiting.pop()) for file in _files(root, name)} - needed
        needed |= found
        waiting.extend(file for file in found if file.suffix == ".py")
    return sorted(file.relative_to(root) for file in needed)


def _imported(file: Path) -> Iterator[str]:
    """The names of the package that a module imports when it runs: what types alone need is not there then."""
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
    """A module's file, its table, and the packages that it lies in; of what a module holds, that module's."""
    path = root
    for part in name.split("."):
        path = path / part
        candidates = path / "__init__.py", path.with_suffix(".py"), path.with_suffix(".toml")
        yield from (candidate for candidate in candidates if candidate.is_file())


if __name__ == "__main__":
    print(*files_of(Path(sys.argv[1]), Path(__file__).resolve().parents[1]), sep="\n")
