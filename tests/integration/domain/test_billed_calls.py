"""music_streams/cost/measured.toml has the billed calls of the functions, the state machine and the template."""

import tomllib

from benchmarks import units
from music_streams.cost import measured
from tests.aws import aws_in_process

KNOWN = tomllib.loads(measured.FILE.read_text("utf-8"))
ADVICE = "run `python -m benchmarks.units calls`, and check which calls cost more"


def test_the_recorded_calls_are_those_that_the_functions_make():
    with aws_in_process():
        assert units.count_calls() == KNOWN["calls"], ADVICE


def test_the_recorded_transitions_alarms_and_keys_are_those_of_the_template():
    assert units.count_template() == KNOWN["template"], ADVICE


def test_the_file_is_in_the_form_that_the_benchmark_writes():
    assert measured.FILE.read_text("utf-8") == units.as_toml(KNOWN)
