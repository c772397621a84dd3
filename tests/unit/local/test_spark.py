import pytest

from local.credentials import Credentials
from local.errors import SparkSetupError
from local.spark import GLUE_CATALOG, Spark, glue_catalogs, java_home, parse_conf, settings_of_run, write_properties

ENDPOINT = "http://127.0.0.1:5000"
KEY = Credentials("key", "secret")


def test_glues_conf_argument_is_parsed():
    text = "spark.sql.catalog.c=org.x.Y --conf spark.a=b c=d  --conf spark.e="
    assert parse_conf(text) == {"spark.sql.catalog.c": "org.x.Y", "spark.a": "b c=d", "spark.e": ""}
    assert parse_conf("") == {}
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


def test_a_run_has_the_jobs_settings_the_clouds_endpoints_and_private_ports(spark, tmp_path):
    conf = {
        "spark.sql.catalog.lake.catalog-impl": GLUE_CATALOG,
        "spark.master": "local[7]",
        "spark.driver.extraJavaOptions": "-Dmine=1",
        "spark.authenticate": "false",
    }
    expected = {
        "spark.master": "local[7]",
        "spark.hadoop.fs.s3a.endpoint": ENDPOINT,
        "spark.hadoop.fs.s3a.access.key": "key",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.sql.catalog.lake.s3.access-key-id": "key",
        "spark.sql.catalog.lake.glue.endpoint": ENDPOINT,
        "spark.sql.catalog.lake.s3.endpoint": ENDPOINT,
        "spark.sql.catalog.lake.client.region": "eu-west-1",
        # Spark's ports accept Java objects, so neither other users nor other machines may reach them.
        "spark.authenticate": "true",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
    }
    settings = settings_of_run(spark, conf, ENDPOINT, "eu-west-1", KEY, tmp_path)
    assert {name: settings[name] for name in expected} == expected
    assert settings["spark.driver.extraClassPath"].endswith(f"{tmp_path}/a.jar:{tmp_path}/b.jar")
    assert settings["spark.driver.extraJavaOptions"].startswith("-Dmine=1 ")


@pytest.mark.parametrize(("workers", "is_quickly_compiled"), [(1, True), (2, True), (3, False)])
def test_only_runs_with_few_workers_skip_optimization(workers, is_quickly_compiled, spark, tmp_path):
    settings = settings_of_run(spark, {}, ENDPOINT, "eu-west-1", KEY, tmp_path, workers=workers)
    options = settings["spark.driver.extraJavaOptions"].split()
    assert ("-XX:TieredStopAtLevel=1" in options) == is_quickly_compiled


def test_java_options_name_the_archive_if_there_is_one(spark, tmp_path):
    assert spark.sharing_options == ()
    archived = Spark(spark.java_home, spark.jars, (tmp_path / "base.jsa", tmp_path / "spark.jsa"))
    assert f"-XX:SharedArchiveFile={tmp_path}/base.jsa:{tmp_path}/spark.jsa" in archived.sharing_options
    assert "-Xshare:auto" in archived.sharing_options


def test_backslashes_in_properties_are_escaped(tmp_path):
    write_properties(tmp_path / "p", {"spark.b": "c:\\d", "spark.a": "1"})
    assert (tmp_path / "p").read_text() == "spark.a 1\nspark.b c:\\\\d\n"


def test_a_java_home_without_java_is_named_and_the_wheels_java_is_the_default(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SparkSetupError, match=f"no Java at {tmp_path}"):
        java_home()
    monkeypatch.delenv("JAVA_HOME")
    assert (java_home() / "bin" / "java").is_file()
