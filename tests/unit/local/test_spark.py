import pytest

from local.credentials import Credentials
from local.errors import SparkSetupError
from local.spark import GLUE_CATALOG, Spark, glue_catalogs, java_home, parse_conf, settings_of_run, write_properties

ENDPOINT = "http://127.0.0.1:5000"
KEY = Credentials("key", "secret")


def test_conf_in_glues_form():
    text = "spark.sql.catalog.c=org.x.Y --conf spark.a=b c=d  --conf spark.e="
    assert parse_conf(text) == {"spark.sql.catalog.c": "org.x.Y", "spark.a": "b c=d", "spark.e": ""}


def test_no_conf():
    assert parse_conf("") == {}


def test_conf_that_is_none():
    with pytest.raises(SparkSetupError, match="'spark' is not of the form name=value"):
        parse_conf("spark --conf a=b")


def test_catalogs_in_glue_are_found():
    conf = {
        "spark.sql.catalog.one": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.one.catalog-impl": GLUE_CATALOG,
        "spark.sql.catalog.two.type": "glue",
        "spark.sql.catalog.three.type": "hadoop",
    }
    assert glue_catalogs(conf) == ["one", "two"]


@pytest.fixture
def spark(tmp_path):
    return Spark(tmp_path, (tmp_path / "a.jar", tmp_path / "b.jar"), ())


def test_a_run_gets_the_jobs_settings_and_the_way_to_the_cloud(spark, tmp_path):
    conf = {
        "spark.sql.catalog.lake.catalog-impl": GLUE_CATALOG,
        "spark.master": "local[7]",
        "spark.driver.extraJavaOptions": "-Dmine=1",
    }
    settings = settings_of_run(spark, conf, ENDPOINT, "eu-west-1", KEY, tmp_path)
    assert settings["spark.master"] == "local[7]"
    assert settings["spark.hadoop.fs.s3a.endpoint"] == ENDPOINT
    assert settings["spark.hadoop.fs.s3a.access.key"] == "key"
    assert settings["spark.sql.catalog.lake.s3.access-key-id"] == "key"
    assert settings["spark.sql.catalog.lake.glue.endpoint"] == ENDPOINT
    assert settings["spark.sql.catalog.lake.s3.endpoint"] == ENDPOINT
    assert settings["spark.sql.catalog.lake.client.region"] == "eu-west-1"
    assert settings["spark.hadoop.fs.s3.impl"].endswith("S3AFileSystem")
    assert settings["spark.driver.extraClassPath"].endswith(f"{tmp_path}/a.jar:{tmp_path}/b.jar")
    assert settings["spark.driver.extraJavaOptions"].startswith("-Dmine=1 ")


@pytest.mark.parametrize(("workers", "is_quickly_compiled"), [(1, True), (2, True), (3, False)])
def test_only_runs_of_few_workers_do_without_optimised_code(workers, is_quickly_compiled, spark, tmp_path):
    settings = settings_of_run(spark, {}, ENDPOINT, "eu-west-1", KEY, tmp_path, workers=workers)
    options = settings["spark.driver.extraJavaOptions"].split()
    assert ("-XX:TieredStopAtLevel=1" in options) == is_quickly_compiled


def test_java_options_come_from_the_archive_if_there_is_one(spark, tmp_path):
    assert spark.sharing_options == ()
    archived = Spark(spark.java_home, spark.jars, (tmp_path / "base.jsa", tmp_path / "spark.jsa"))
    assert f"-XX:SharedArchiveFile={tmp_path}/base.jsa:{tmp_path}/spark.jsa" in archived.sharing_options
    assert "-Xshare:auto" in archived.sharing_options


def test_properties_survive_backslashes(tmp_path):
    write_properties(tmp_path / "p", {"spark.b": "c:\\d", "spark.a": "1"})
    assert (tmp_path / "p").read_text() == "spark.a 1\nspark.b c:\\\\d\n"


def test_a_java_home_without_java_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SparkSetupError, match=f"no Java at {tmp_path}"):
        java_home()


def test_the_wheels_java_is_the_default(monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert (java_home() / "bin" / "java").is_file()


def test_no_job_takes_java_objects_from_others_of_the_machine(spark, tmp_path):
    conf = {"spark.authenticate": "false"}
    settings = settings_of_run(spark, conf, ENDPOINT, "us-east-1", KEY, tmp_path)
    assert settings["spark.authenticate"] == "true"


def test_no_port_of_a_run_is_reached_from_other_machines(spark, tmp_path):
    settings = settings_of_run(spark, {}, ENDPOINT, "us-east-1", KEY, tmp_path)
    assert (settings["spark.driver.host"], settings["spark.driver.bindAddress"]) == ("127.0.0.1", "127.0.0.1")
    assert settings["spark.ui.enabled"] == "false"
