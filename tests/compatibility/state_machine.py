"""The arguments that the state machine passes to its functions and jobs, read from its definition.

It implements only what the definition uses of Amazon States Language: sequential steps, paths without filters.
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
    """An execution whose steps run one after another."""

    def __init__(self, arn: str, execution_input: dict[str, Any]) -> None:
        self.state = execution_input
        self._context = {"Execution": {"Id": arn, "Name": arn.rsplit(":", 1)[1]}}

    def run_step(self, step: str, work: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Run a step; return its input, its output, and the part of the output that the state machine keeps.

        Args:
            step: its name.
            work: called with the Payload of a function, or the Arguments of a job.
        """
        definition = _states()[step]
        is_function = "lambda" in definition["Resource"]
        parameters = _filled(definition["Parameters"], self.state, self._context)
        step_input = parameters["Payload" if is_function else "Arguments"]
        output = work(step_input)
        selected = _filled(definition["ResultSelector"], {"Payload": output} if is_function else output, {})
        self.state[definition["ResultPath"].removeprefix("$.")] = selected
        return {"input": step_input, "output": output, "taken": selected}


def own_arguments(job: str) -> dict[str, str]:
    """Return a job's default arguments in the template that are not for Glue; references by name."""
    arguments = TEMPLATE["Resources"][job]["Properties"]["DefaultArguments"]
    # The pipeline's own arguments are in snake_case; --conf, library-set and the like are Glue's.
    own = {name: value for name, value in arguments.items() if name.startswith("--") and "-" not in name[2:]}
    return {name: value["Ref"] for name, value in own.items() if isinstance(value, dict) and "Ref" in value}


@cache
def _states() -> dict[str, Any]:
    states: dict[str, Any] = yaml.safe_load((ROOT / "statemachine" / "process_streams.asl.yaml").read_text())["States"]
    return states


def _filled(template: dict[str, Any], state: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Replace the fields of a template that end in ``.$`` with the values at their paths."""
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
