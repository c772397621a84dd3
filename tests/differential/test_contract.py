"""The product and the second implementation of the contract agree on every file (long run: docs/testing.md)."""

import os
from collections import Counter
from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from music_streams.reference import csv_rows
from music_streams.state.object_keys import Kind, kind_of
from tests.differential import product, reading
from tests.differential.disagreement import smallest
from tests.differential.reading import DirtyFile
from tests.differential.strategies import KNOWN_TRACKS, dirty_files, sample
from tests.integration.transform.directory_s3 import DirectoryS3
from tests.oracle.contract import count_reference

FILES_IN_A_BATCH = 200
FILES = int(os.environ.get("DIFFERENTIAL_FILES", "400"))
FIRST_SEED = int(os.environ.get("DIFFERENTIAL_FIRST_SEED", "0"))
SEEDS = range(FIRST_SEED, FIRST_SEED + max(FILES // FILES_IN_A_BATCH, 1))
EVERY_KIND = tuple(reading.COLUMNS)
REFERENCE = ("reference/songs/", "reference/users/")
BLOCKS = (1, 7, 50, 4_000_000)  # bytes that the parser of reference files reads at once
CHUNKS = (None, 1, 2, 3, 7, 64)  # bytes of the chunks that validate reads
SPLITS = ("1k", "16k")  # bytes that a Spark task reads

read_rows = partial(reading.read_rows, known_tracks=set(KNOWN_TRACKS))


@pytest.fixture(scope="module")
def transform(spark, tmp_path_factory):
    spark.conf.set("spark.sql.files.openCostInBytes", "0")  # few tasks
    yield product.Transform(spark, DirectoryS3(tmp_path_factory.mktemp("s3")))
    spark.conf.unset("spark.sql.files.openCostInBytes")
    spark.conf.unset("spark.sql.files.maxPartitionBytes")


@settings(
    database=None, deadline=None, derandomize=True, max_examples=200, suppress_health_check=[HealthCheck.too_slow]
)
@given(dirty_files(EVERY_KIND), st.sampled_from(CHUNKS))
def test_validate_returns_the_verdict_of_the_contract(file, chunk_bytes):
    expected = reading.read_file(file)
    event(expected.verdict or "valid")
    assert expected.allows(product.read_file(file, chunk_bytes))


@pytest.mark.parametrize("number", SEEDS)
def test_validate_returns_the_verdict_of_the_contract_whatever_the_chunks(number):
    def differ(candidates: Sequence[DirtyFile]) -> list[DirtyFile]:
        return [
            file
            for file in candidates
            if not all(reading.read_file(file).allows(product.read_file(file, size)) for size in (None, cut_at))
        ]

    cut_at = CHUNKS[number % len(CHUNKS)]
    if disagreed := differ(sample(number, 5 * FILES_IN_A_BATCH, EVERY_KIND)):
        file = smallest(min(disagreed, key=size_of), differ)
        fail(
            number, disagreed, file, reading.read_file(file), [product.read_file(file, size) for size in (None, cut_at)]
        )


@pytest.mark.parametrize("number", SEEDS)
def test_the_transform_returns_the_rows_counts_and_verdict_of_the_contract(spark, transform, number):
    spark.conf.set("spark.sql.files.maxPartitionBytes", SPLITS[number % len(SPLITS)])

    def differ(candidates: Sequence[DirtyFile]) -> list[DirtyFile]:
        """Return the files that both accept but whose rows they read differently."""
        valid = [file for file in candidates if is_valid(file)]
        results = transform.read_rows(valid) if valid else []
        return [file for file, rows in zip(valid, results, strict=True) if rows != read_rows(file)]

    if disagreed := differ(sample(number, FILES_IN_A_BATCH)):
        file = smallest(min(disagreed, key=size_of), differ)
        fail(number, disagreed, file, read_rows(file), transform.read_rows([file])[0])


@pytest.mark.parametrize("number", SEEDS)
def test_the_rows_of_reference_files_are_those_of_the_contract_and_of_the_oracle(number, monkeypatch):
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", BLOCKS[number % len(BLOCKS)])
    cut_at = CHUNKS[number % len(CHUNKS)] or 1_000

    def differ(candidates: Sequence[DirtyFile]) -> list[DirtyFile]:
        return [
            file
            for file in candidates
            if is_valid(file) and product.read_reference_rows(file, cut_at) != reading.read_reference_rows(file)
        ]

    sampled = sample(number, FILES_IN_A_BATCH, REFERENCE)
    if disagreed := differ(sampled):
        file = smallest(min(disagreed, key=size_of), differ)
        found = product.read_reference_rows(file, cut_at)
        fail(number, disagreed, file, reading.read_reference_rows(file), found)
    for file in filter(is_valid, sampled[::10]):
        accepted, rejected = reading.read_reference_rows(file)
        by_the_oracle = count_reference(str(kind_of(file.key)), file.content, max_rejected_ratio="1")
        assert (by_the_oracle.rows_accepted, by_the_oracle.rejected) == (len(accepted), rejected)


def test_every_reason_of_reference_rows_is_frequent_in_the_sample():
    files = [file for number in range(8) for file in sample(number, FILES_IN_A_BATCH, REFERENCE) if is_valid(file)]
    for kind, reasons in ((Kind.SONGS, reading.SONG_REASONS), (Kind.USERS, reading.USER_REASONS)):
        read = [reading.read_reference_rows(file) for file in files if kind_of(file.key) is kind]
        occurrences = sum((rejected for _, rejected in read), Counter(accepted=sum(len(rows) for rows, _ in read)))
        assert {name for name in ("accepted", *reasons) if occurrences[name] < 10} == set()


def test_every_verdict_and_every_reason_is_frequent_in_the_sample():
    occurrences = coverage([file for number in range(3) for file in sample(number, FILES_IN_A_BATCH)])
    assert {name: count for name, count in occurrences.items() if count < 10} == {}


def coverage(sampled: Sequence[DirtyFile]) -> Counter[str]:
    """Count the files by verdict or as valid, and the rows by reason or as accepted."""
    occurrences = Counter(dict.fromkeys(("valid", "accepted", *reading.VERDICTS, *reading.REASONS), 0))
    for file in sampled:
        verdict = reading.read_file(file).verdict
        if verdict is None:
            rows = read_rows(file)
            verdict = rows.verdict
            occurrences.update(row.reason or "accepted" for row in rows.rows)
        occurrences[verdict or "valid"] += 1
    return occurrences


def is_valid(file: DirtyFile) -> bool:
    """Return whether both accept the file."""
    return reading.read_file(file).verdict is None and product.read_file(file).verdict is None


def size_of(file: DirtyFile) -> int:
    return len(file.content)


def fail(number: int, disagreed: Sequence[DirtyFile], file: DirtyFile, contract: object, found: object) -> None:
    pytest.fail(
        f"The implementations differ on {len(disagreed)} files of seed {number}. One of them, minimized: {file}\n"
        f"content:  {file.content!r}\ncontract: {contract}\nproduct:  {found}"
    )
