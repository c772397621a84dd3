"""`sam build` makes every function's artifact, the same that the local cloud makes."""

from pathlib import Path

import pytest

from local.packaging import build_with_make
from tests.functions import ROOT, all_functions

pytestmark = pytest.mark.slow


def files(folder: Path) -> dict[str, bytes]:
    """Content by path; what an installer notes about itself is left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.endswith(".dist-info") for part in path.parts)
    }


@pytest.mark.parametrize("function", all_functions(), ids=lambda function: function.folder)
def test_the_artifact_holds_the_handler_and_is_what_the_local_cloud_runs(built, function, tmp_path):
    artifact = files(built / function.logical_id)
    assert artifact["app.py"] == function.handler_file.read_bytes()
    build_with_make(ROOT / "functions", function.logical_id, tmp_path)
    assert artifact == files(tmp_path)
