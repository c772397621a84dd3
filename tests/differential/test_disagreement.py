"""A failing comparison shows a minimal file."""

import gzip

from tests.differential.disagreement import smallest
from tests.differential.reading import DirtyFile, uncompressed


def test_everything_that_the_disagreement_does_not_need_is_removed_from_a_file():
    content = b"header\n" + b"good row\n" * 50 + b"a bad ro\xc3w\n" + b"good row\n" * 50
    files = [DirtyFile("incoming/a.csv", content), DirtyFile("incoming/a.csv", gzip.compress(content))]

    def differ(candidates):
        return [file for file in candidates if b"\xc3" in uncompressed(file.content)[0]]

    assert [smallest(file, differ).content for file in files] == [b"\xc3", b"\xc3"]


def test_a_file_that_differs_only_as_gzip_stays_gzip():
    packed = DirtyFile("incoming/a.csv", gzip.compress(b"a\n"))
    minimized = smallest(packed, lambda candidates: [file for file in candidates if file.content[:2] == b"\x1f\x8b"])
    assert minimized.content == b"\x1f\x8b"
