"""Only pinned jars are on Spark's class path."""

import hashlib
import re
from pathlib import Path

import pytest

from local import spark, spark_jars
from local.errors import SparkSetupError
from local.spark import COORDINATES, JARS_LOCK

GOOD = {"a_one-1.jar": b"one", "b_two-2.jar": b"two"}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Repository:
    """A remote repository that counts its requests."""

    def __init__(self) -> None:
        self.jars = dict(GOOD)
        self.requests = 0

    def resolved(self, folder: Path) -> Path:
        self.requests += 1
        (folder / "jars").mkdir()
        for name, content in self.jars.items():
            (folder / "jars" / name).write_bytes(content)
        return folder / "jars"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository, an empty cache, and pins of what the repository holds."""
    lock = tmp_path / "jars.sha256"
    lock.write_text("".join(f"{sha256(content)}  {name}\n" for name, content in GOOD.items()))
    monkeypatch.setattr(spark, "JARS_LOCK", lock)
    monkeypatch.setattr(spark_jars, "JARS_LOCK", lock)
    monkeypatch.setenv("LOCAL_CLOUD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LOCAL_CLOUD_JARS", raising=False)
    remote = Repository()
    monkeypatch.setattr(spark_jars, "_resolved", remote.resolved)
    return remote


def ensure() -> dict[str, bytes]:
    """Return the jars in the cache after they are resolved."""
    spark_jars.ensure_jars(lambda _: None)
    return {jar.name: jar.read_bytes() for jar in spark.installed_spark().jars}


def test_pinned_jars_are_resolved_once(repository):
    assert [ensure(), ensure()] == [GOOD, GOOD]
    assert repository.requests == 1


@pytest.mark.parametrize(
    ("changes", "jar", "problem"),
    [
        ({"b_two-2.jar": b"TWO"}, "b_two-2.jar", "is not the one that is pinned"),
        ({"c_three-3.jar": b"three"}, "c_three-3.jar", "was resolved and is not pinned"),
        ({"a_one-1.jar": None}, "a_one-1.jar", "is pinned and was not resolved"),
    ],
    ids=["tampered", "unknown", "missing"],
)
def test_jars_that_differ_from_the_pins_are_named_and_none_is_used(repository, changes, jar, problem):
    repository.jars = {name: content for name, content in (GOOD | changes).items() if content is not None}
    with pytest.raises(SparkSetupError, match=re.escape(f"Spark's jar {jar} {problem}")):
        ensure()
    assert not list(spark.cache_folder().rglob("*.jar"))
    with pytest.raises(SparkSetupError, match="not resolved yet"):
        spark.installed_spark()
    repository.jars = dict(GOOD)
    assert ensure() == GOOD


def test_jars_that_were_resolved_before_there_were_pins_are_checked(repository):
    ensure()
    folder = spark.jars_folder()
    (folder / ".complete").write_text("")  # as written before there were pins
    assert ensure() == GOOD
    assert repository.requests == 1
    (folder / ".complete").write_text("")
    (folder / "a_one-1.jar").write_bytes(b"ONE")
    assert ensure() == GOOD
    assert repository.requests == 2


def test_changed_pins_resolve_the_jars_again(repository):
    ensure()
    repository.jars = {"a_one-1.jar": b"newer"}
    spark.JARS_LOCK.write_text(f"{sha256(b'newer')}  a_one-1.jar\n")
    assert ensure() == {"a_one-1.jar": b"newer"}


def test_a_chosen_folder_of_jars_is_used_unchecked(repository, tmp_path, monkeypatch):
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    (chosen / "other.jar").write_bytes(b"other")
    monkeypatch.setenv("LOCAL_CLOUD_JARS", str(chosen))
    assert ensure() == {"other.jar": b"other"}
    assert repository.requests == 0


def test_pinning_writes_the_digests_of_the_resolved_jars(repository):
    repository.jars = {"z.jar": b"z", "a.jar": b"a"}
    spark_jars.main()
    assert spark.JARS_LOCK.read_text() == f"{sha256(b'a')}  a.jar\n{sha256(b'z')}  z.jar\n"


def test_the_projects_jars_are_pinned_by_digest_without_a_registry():
    lines = JARS_LOCK.read_text().splitlines()
    assert all(re.fullmatch(r"[0-9a-f]{64}  [\w.-]+\.jar", line) for line in lines)
    named = {line.split("  ")[1] for line in lines}
    assert {"{}_{}-{}.jar".format(*coordinate.split(":")) for coordinate in COORDINATES} <= named
