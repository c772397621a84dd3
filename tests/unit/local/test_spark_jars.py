"""Only the jars that are pinned get onto Spark's class path."""

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
    """What is resolved from outside, and how often it was asked."""

    def __init__(self) -> None:
        self.jars = dict(GOOD)
        self.asked = 0

    def resolved(self, folder: Path) -> Path:
        self.asked += 1
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
    made = Repository()
    monkeypatch.setattr(spark_jars, "_resolved", made.resolved)
    return made


def ensure() -> dict[str, bytes]:
    """What lies in the cache once the jars are there."""
    spark_jars.ensure_jars(lambda _: None)
    return {jar.name: jar.read_bytes() for jar in spark.installed_spark().jars}


def test_pinned_jars_are_resolved_once(repository):
    assert [ensure(), ensure()] == [GOOD, GOOD]
    assert repository.asked == 1


@pytest.mark.parametrize(
    ("changes", "jar", "what"),
    [
        ({"b_two-2.jar": b"TWO"}, "b_two-2.jar", "is not the one that is pinned"),
        ({"c_three-3.jar": b"three"}, "c_three-3.jar", "was resolved and is not pinned"),
        ({"a_one-1.jar": None}, "a_one-1.jar", "is pinned and was not resolved"),
    ],
    ids=["tampered", "unknown", "missing"],
)
def test_other_jars_are_refused_by_name_and_nothing_is_put_into_use(repository, changes, jar, what):
    repository.jars = {name: content for name, content in (GOOD | changes).items() if content is not None}
    with pytest.raises(SparkSetupError, match=re.escape(f"Spark's jar {jar} {what}")):
        ensure()
    assert not list(spark.cache_folder().rglob("*.jar"))
    with pytest.raises(SparkSetupError, match="not resolved yet"):
        spark.installed_spark()
    repository.jars = dict(GOOD)
    assert ensure() == GOOD


def test_jars_that_were_resolved_before_there_were_pins_are_checked(repository):
    ensure()
    folder = spark.jars_folder()
    (folder / ".complete").write_text("")  # as it was written then
    assert ensure() == GOOD
    assert repository.asked == 1
    (folder / ".complete").write_text("")
    (folder / "a_one-1.jar").write_bytes(b"ONE")
    assert ensure() == GOOD
    assert repository.asked == 2


def test_other_pins_make_jars_be_resolved_again(repository):
    ensure()
    repository.jars = {"a_one-1.jar": b"newer"}
    spark.JARS_LOCK.write_text(f"{sha256(b'newer')}  a_one-1.jar\n")
    assert ensure() == {"a_one-1.jar": b"newer"}


def test_a_folder_that_somebody_chose_is_used_as_it_is(repository, tmp_path, monkeypatch):
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    (chosen / "other.jar").write_bytes(b"other")
    monkeypatch.setenv("LOCAL_CLOUD_JARS", str(chosen))
    assert ensure() == {"other.jar": b"other"}
    assert repository.asked == 0


def test_pinning_takes_what_comes(repository):
    repository.jars = {"z.jar": b"z", "a.jar": b"a"}
    spark_jars.main()
    assert spark.JARS_LOCK.read_text() == f"{sha256(b'a')}  a.jar\n{sha256(b'z')}  z.jar\n"


def test_the_jars_of_the_project_are_pinned_by_digests_and_no_registry_is_named():
    lines = JARS_LOCK.read_text().splitlines()
    assert all(re.fullmatch(r"[0-9a-f]{64}  [\w.-]+\.jar", line) for line in lines)
    named = {line.split("  ")[1] for line in lines}
    assert {"{}_{}-{}.jar".format(*coordinate.split(":")) for coordinate in COORDINATES} <= named
