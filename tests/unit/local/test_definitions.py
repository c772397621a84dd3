import pytest

from local.errors import TemplateError
from local.resources.states import parse_definition


def test_substitutions_keep_numbers_and_booleans():
    text = "TimeoutSeconds: ${Seconds}\nComment: '${Name} ${Other}'\nTracing: ${Tracing}"
    definition = parse_definition(text, {"Seconds": "60", "Name": "n", "Tracing": True}, "Machine")
    assert definition == {"TimeoutSeconds": 60, "Comment": "n ${Other}", "Tracing": True}


def test_json_definitions_are_parsed():
    assert parse_definition('{"StartAt": "${A}"}', {"A": "First"}, "Machine") == {"StartAt": "First"}


@pytest.mark.parametrize("text", ["a: [", "- just\n- a list"])
def test_an_invalid_definition_is_refused(text):
    with pytest.raises(TemplateError, match="Machine: the definition"):
        parse_definition(text, {}, "Machine")
