"""npm packages run no scripts on the machine that installs them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECIPES = [ROOT / "Makefile", ROOT / "functions" / "Makefile", *(ROOT / ".ci").iterdir()]
INSTALLS = re.compile(r"\bnpm\s+(?:ci|clean-install|i|install|add|update|rebuild|exec|run)\b[^\n]*|\bnpx\b[^\n]*")


def test_every_npm_command_ignores_scripts():
    found = [command for path in RECIPES for command in INSTALLS.findall(path.read_text().replace("\\\n", " "))]
    assert len(found) == 4
    assert [command for command in found if "--ignore-scripts" not in command] == []
