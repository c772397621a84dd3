import io
import zipfile

import pytest

from local.errors import BuildError
from local.packaging import build_with_make, zip_folder


def test_the_same_files_give_the_same_zip(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "package" / "__pycache__").mkdir(parents=True)
        (tmp_path / name / "package" / "a.py").write_text("a = 1")
        (tmp_path / name / "package" / "__pycache__" / "a.pyc").write_text(name)
    first, second = (zip_folder(tmp_path / name) for name in ("one", "two"))
    assert first == second
    assert zipfile.ZipFile(io.BytesIO(first)).namelist() == ["package/a.py"]


def test_the_zip_keeps_which_files_are_executable_whatever_the_umask(tmp_path):
    for name, modes in (("one", (0o755, 0o644)), ("two", (0o700, 0o600))):
        (tmp_path / name).mkdir()
        for file, mode in zip(("program", "data"), modes, strict=True):
            (tmp_path / name / file).touch(mode)
    first, second = (zip_folder(tmp_path / name) for name in ("one", "two"))
    assert first == second
    packed = {entry.filename: entry.external_attr >> 16 for entry in zipfile.ZipFile(io.BytesIO(first)).infolist()}
    assert packed == {"program": 0o755, "data": 0o644}


@pytest.mark.parametrize(
    ("makefile", "message"),
    [
        ("build-It:\n\t@echo what went wrong; exit 3\n", "(?s)building It failed.*what went wrong"),
        ("build-It:\n\ttrue\n", "left ARTIFACTS_DIR empty"),
        ("", "build-It"),
    ],
)
def test_make_builds_into_the_artifacts_folder_and_a_failed_build_shows_its_output(tmp_path, makefile, message):
    (tmp_path / "out").mkdir()
    (tmp_path / "Makefile").write_text(makefile)
    with pytest.raises(BuildError, match=message):
        build_with_make(tmp_path, "It", tmp_path / "out")
    (tmp_path / "Makefile").write_text("build-It:\n\techo content > $(ARTIFACTS_DIR)/app.py\n")
    build_with_make(tmp_path, "It", tmp_path / "out")
    assert (tmp_path / "out" / "app.py").read_text() == "content\n"
