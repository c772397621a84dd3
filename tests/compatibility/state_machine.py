"""What the state machine passes to its functions and jobs: the Parameters of each step, from the definition itself.

Just enough of Amazon States Language for that: a step after the other, paths without filters.
"""

from collections.abc import Callable
from functools import cache, reduce
from operator import getitem
from typing import Any

import yaml

from tests.aws import TEMPLATE
from tests.functions import ROOT

STEPS = ("Claim sources", "Transform streams", "Load metrics", "Settle sources", "Archive sources", "Erase copies")


class Execution:
    """An execution that comes to each step in turn."""

    def __init__(self, arn: str, given: dict[str, Any]) -> None:
        self.state = given
        self._context = {"Execution": {"Id": arn, "Name": arn.rsplit(":", 1)[1]}}

    def take(self, step: str, work: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Do a step; what it was given, what it answered and what the state machine takes of that.

        Args:
            step: its name.
            work: gets the Payload of a function, or the Arguments of a job.
        """
        definition = _states()[step]
        is_function = "lambda" in definition["Resource"]
        parameters = _filled(definition["Parameters"], self.state, self._context)
        given = parameters["Payload" if is_function else "Arguments"]
        answer = work(given)
        taken = _filled(definition["ResultSelector"], {"Payload": answer} if is_function else answer, {})
        self.state[definition["ResultPath"].removeprefix("$.")] = taken
        return {"input": given, "output": answer, "taken": taken}


def own_arguments(job: str) -> dict[str, str]:
    """The arguments that the template gives to all runs of a job and that are not for Glue; references by name."""
    arguments = TEMPLATE["Resources"][job]["Properties"]["DefaultArguments"]
    # Those of our own are in snake_case; --conf, library-set and the like are Glue's.
    own = {name: value for name, value in arguments.items() if name.startswith("--") and "-" not in name[2:]}
    return {name: value["Ref"] for name, value in own.items() if isinstance(value, dict) and "Ref" in value}


@cache
def _states() -> dict[str, Any]:
    states: dict[str, Any] = yaml.safe_load((ROOT / "statemachine" / "process_streams.asl.yaml").read_text())["States"]
    return states


def _filled(template: dict[str, Any], state: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """A template whose fields that end in ``.$`` are replaced by what their paths lead to."""
    filled = {}
    for name, value in template.items():
        if name.endswith(".$"):
            filled[name[:-2]] = _at(value, state, context)
        else:
            filled[name] = _filled(value, state, context) if isinstance(value, dict) else value
    return filled


def _at(path: str, state: dict[str, Any], context: dict[str, Any]) -> Any:
    root, *names = path.split(".")
    return reduce(getitem, names, {"$$": context, "$": state}[root])
