"""What a failing comparison shows is as small as it can be."""

import gzip

from tests.differential.disagreement import smallest
from tests.differential.reading import DirtyFile, uncompressed


def test_a_file_loses_all_that_the_disagreement_does_not_need():
    content = b"header\n" + b"good row\n" * 50 + b"a bad ro\xc3w\n" + b"good row\n" * 50
    files = [DirtyFile("incoming/a.csv", content), DirtyFile("incoming/a.csv", gzip.compress(content))]

    def differ(candidates):
        return [each for each in candidates if b"\xc3" in uncompressed(each.content)[0]]

    assert [smallest(file, differ).content for file in files] == [b"\xc3", b"\xc3"]


def test_a_file_that_only_differs_as_gzip_stays_gzip():
    packed = DirtyFile("incoming/a.csv", gzip.compress(b"a\n"))
    found = smallest(packed, lambda candidates: [each for each in candidates if each.content[:2] == b"\x1f\x8b"])
    assert found.content == b"\x1f\x8b"
