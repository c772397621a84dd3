import pytest

from local.errors import TemplateError
from local.samconfig import Settings, parse_overrides, read_settings


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["A=1", "B=two words"], {"A": "1", "B": "two words"}),
        ('A=1 B="two words"', {"A": "1", "B": "two words"}),
        ("ParameterKey=A,ParameterValue=1 B=x=y", {"A": "1", "B": "x=y"}),
        (['A="quoted"', "B="], {"A": "quoted", "B": ""}),
        ([], {}),
    ],
)
def test_overrides_are_parsed_in_all_forms(overrides, expected):
    assert parse_overrides(overrides) == expected


def test_an_override_without_a_value_is_an_error():
    with pytest.raises(TemplateError, match="'A' is not of the form Name=Value"):
        parse_overrides(["A"])


def test_settings_of_the_local_environment(tmp_path):
    file = tmp_path / "samconfig.toml"
    file.write_text(
        """
        [default.global.parameters]
        stack_name = "other"
        [local.global.parameters]
        stack_name = "mine"
        region = "eu-west-1"
        [local.deploy.parameters]
        parameter_overrides = "A=1"
        """
    )
    assert read_settings(file) == Settings("mine", "eu-west-1", {"A": "1"})


def test_given_parameters_override_those_of_the_file():
    given = Settings(parameters={"A": "1", "B": "2"}).with_parameters({"B": "3"})
    assert given == Settings(parameters={"A": "1", "B": "3"})


def test_a_file_may_be_missing_and_a_malformed_one_is_named(tmp_path):
    file = tmp_path / "samconfig.toml"
    assert read_settings(file) == Settings("local", "us-east-1", {})
    file.write_text("[local")
    with pytest.raises(TemplateError, match=r"samconfig\.toml"):
        read_settings(file)
