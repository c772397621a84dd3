"""The pages for operators and the runbooks of docs/runbooks.md, parsed for tests."""

import re
from dataclasses import dataclass
from pathlib import Path

_DOCS = Path(__file__).parents[1] / "docs"
RUNBOOKS_PAGE = (_DOCS / "runbooks.md").read_text()
DOC = RUNBOOKS_PAGE + (_DOCS / "airflow.md").read_text()


@dataclass(frozen=True)
class Runbook:
    """One incident; each part is Markdown."""

    symptom: str
    meaning: str
    check: str
    fix: str
    verify: str


def commands(part: str) -> list[str]:
    """Return the commands of a shell block, or of the blocks of a part, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", part, re.MULTILINE | re.DOTALL) or [part]
    lines = [line for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines()]
    # An indented line continues the command before it.
    return [line.split("  #")[0].strip() for line in lines if line.strip() and not line.startswith(" ")]


def _runbooks() -> dict[str, Runbook]:
    text = RUNBOOKS_PAGE.partition("\n## 2. Runbooks\n")[2].partition("\n## ")[0]
    parts = r"\*\*Symptom\.\*\*(.*?)\*\*Meaning\.\*\*(.*?)\*\*Check\.\*\*(.*?)\*\*Fix\.\*\*(.*?)\*\*Verify\.\*\*(.*)"
    runbooks = {}
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        match = re.fullmatch(rf"\s*{parts}", body, re.DOTALL)
        assert match, f"the runbook {title!r} does not have the five parts in their order"
        runbooks[title] = Runbook(*(part.strip() for part in match.groups()))
    return runbooks


RUNBOOKS = _runbooks()
