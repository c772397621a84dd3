"""`sam build` makes the same artifact of every function as the local cloud."""

from pathlib import Path

import pytest

from local.packaging import build_with_make
from tests.functions import ROOT, all_functions

pytestmark = pytest.mark.slow


def files(folder: Path) -> dict[str, bytes]:
    """Return the content by path, without the installer's metadata."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.endswith(".dist-info") for part in path.parts)
    }


@pytest.mark.parametrize("function", all_functions(), ids=lambda function: function.folder)
def test_the_artifact_contains_the_handler_and_equals_the_local_clouds(built, function, tmp_path):
    artifact = files(built / function.logical_id)
    assert artifact["app.py"] == function.handler_file.read_bytes()
    build_with_make(ROOT / "functions", function.logical_id, tmp_path)
    assert artifact == files(tmp_path)
