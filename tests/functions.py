"""The functions of the template: the file of each handler, and its environment."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Function:
    """A function of the template."""

    logical_id: str
    folder: str  # below functions/
    role: str
    timeout: int
    environment: dict[str, Any]  # as in the template, with references

    @property
    def handler_file(self) -> Path:
        return ROOT / "functions" / self.folder / "app.py"


def all_functions() -> list[Function]:
    """Return the functions of the template and functions/Makefile; fail if one has a function that the other lacks."""
    template = yaml_parse((ROOT / "template.yaml").read_text())
    makefile = (ROOT / "functions" / "Makefile").read_text()
    folders = dict(re.findall(r"^build-(\w+): HANDLER = (\w+)$", makefile, re.MULTILINE))
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    functions = {name: r["Properties"] for name, r in template["Resources"].items() if r["Type"].endswith("::Function")}
    assert functions.keys() == folders.keys(), "template.yaml and functions/Makefile name different functions"
    return [
        Function(
            name,
            folders[name],
            properties["Role"]["Fn::GetAtt"][0],
            properties["Timeout"],
            shared | properties.get("Environment", {}).get("Variables", {}),
        )
        for name, properties in functions.items()
    ]
