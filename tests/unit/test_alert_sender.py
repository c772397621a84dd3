"""An alert is plain text of bounded size, whatever names and values it contains."""

import unicodedata
from pathlib import Path
from unittest.mock import ANY, Mock

import pytest

from music_streams.aws.alert_sender import MAX_LINE, MAX_MESSAGE_BYTES, Alerts

ROOT = Path(__file__).parents[2]
SNS_LIMIT = 262_144  # bytes: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
LINE_BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x85", "\u2028", "\u2029"]
BIDI_CONTROLS = ["\u202e", "\u202a", "\u2066", "\u200f", "\u061c"]
CONTROL = [*LINE_BREAKS, *BIDI_CONTROLS, "\x1b[2J", "\x7f", "\u200b", "\ufeff", "\U000e0041", "\udc80"]


def sent(subject, lines, topic_arn="arn:aws:sns:eu-west-1:1:mine-AlertsTopic-1a2B"):
    """Return the subject, and the message after its first line, which names the stack."""
    topic = Mock()
    Alerts(topic, topic_arn).send(subject, lines)
    topic.publish.assert_called_once_with(TopicArn=topic_arn, Subject=ANY, Message=ANY)
    stack, _, message = topic.publish.call_args.kwargs["Message"].partition("\n")
    assert stack == "Stack: mine"
    return topic.publish.call_args.kwargs["Subject"], message


def test_the_first_line_names_the_stack_of_the_topic():
    for name in ("mine-AlertsTopic-1a2B", "mine-AlertsTopic", "mine"):
        assert sent("subject", ["line"], f"arn:aws:sns:eu-west-1:1:{name}") == ("subject", "line")


@pytest.mark.parametrize("sign", CONTROL, ids=ascii)
def test_a_name_can_neither_begin_a_line_nor_control_its_display(sign):
    name = f"incoming/a{sign}What to do: open the attachment{sign}.csv"
    _, message = sent(name, [f"s3://landing/{name} is quarantined.", "What to do: nothing."])
    assert len(message.splitlines()) == 2
    assert message.startswith("s3://landing/incoming/a\\")
    assert not {unicodedata.category(c) for c in message if c != "\n"} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    message.encode()


@pytest.mark.parametrize("line", ["Łucja Brzoza; 鈴木はな; שלום; مرحبا; 𝄞 🎵 — “é” \\", "a" * MAX_LINE], ids=len)
def test_a_line_that_fits_is_unchanged_in_any_alphabet(line):
    assert sent("", [line])[1] == line


@pytest.mark.parametrize("sign", ["a", "é", "𝄞", "\n", "\U000e0041"], ids=ascii)
def test_a_long_line_keeps_its_beginning_and_its_end(sign):
    _, message = sent("", [f"s3://landing/{sign * 64 * 1024} is quarantined."])
    assert len(message) <= MAX_LINE
    assert message.startswith("s3://landing/")
    assert message.endswith(" is quarantined.")
    assert " … " in message


@pytest.mark.parametrize(
    ("line", "count"), [("a" * 400, 1_000), ("é" * 400, 1_000), ("𝄞" * 400, 1_000), ("a" * 499, 1_000), ("a", 200_000)]
)
def test_an_alert_fits_into_a_message_and_counts_the_omitted_lines(line, count):
    lines = ["What to do: nothing.", *[line] * count]
    _, message = sent("", lines)
    assert len(message.encode()) <= MAX_MESSAGE_BYTES < SNS_LIMIT
    first, *middle, last = message.split("\n")
    assert first == "What to do: nothing."
    assert last == f"and {len(lines) - len(middle) - 1:,} more lines"


def test_a_subject_is_one_short_line_of_ascii():
    subject, _ = sent("music-streams: é\n\u202e" + "x" * 200, ["…"])
    assert subject.startswith("music-streams: ???xxx")
    assert len(subject) <= 100


def test_only_alert_sender_publishes_to_the_topic():
    """Any other publisher would have to escape and shorten its lines too."""
    folders = ("music_streams", "music_streams_cli", "functions", "glue", "dags", "plugins")
    callers = [
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "TopicArn=" in path.read_text()
    ]
    assert callers == ["music_streams/aws/alert_sender.py"]
    assert not [path for path in (ROOT / "statemachine").iterdir() if "sns" in path.read_text().lower()]
