import pytest

from local.errors import TemplateError
from local.resources.states import parse_definition


def test_substitutions_are_filled_into_the_text_so_that_numbers_stay_numbers():
    text = "TimeoutSeconds: ${Seconds}\nComment: '${Name} ${Other}'\nTracing: ${Tracing}"
    definition = parse_definition(text, {"Seconds": "60", "Name": "n", "Tracing": True}, "Machine")
    assert definition == {"TimeoutSeconds": 60, "Comment": "n ${Other}", "Tracing": True}


def test_json_is_read_too():
    assert parse_definition('{"StartAt": "${A}"}', {"A": "First"}, "Machine") == {"StartAt": "First"}


@pytest.mark.parametrize("text", ["a: [", "- just\n- a list"])
def test_what_is_no_definition(text):
    with pytest.raises(TemplateError, match="Machine: the definition"):
        parse_definition(text, {}, "Machine")
