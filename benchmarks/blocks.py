"""Generated tables and charts in the handwritten pages of docs/.

They are between ``<!-- NAME -->`` and ``<!-- end of NAME -->``.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


Pages = Mapping[str, Mapping[str, Callable[[], str]]]
"""Generators of blocks, by the names of page and block."""


def with_blocks(pages: Pages, name_of_page: str) -> str:
    """Return a page with its blocks generated again. Raises SystemExit if the page lacks one of them."""
    page = (DOCS / name_of_page).read_text("utf-8")
    for name, make in pages[name_of_page].items():
        begin, end = f"<!-- {name} -->\n\n", f"\n\n<!-- end of {name} -->"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"docs/{name_of_page} has no block: add the lines {begin.strip()} and {end.strip()}")
        page = before + begin + make() + end + after
    return page


def write(pages: Pages) -> None:
    """Write the pages with their blocks generated again."""
    for page in pages:
        (DOCS / page).write_text(with_blocks(pages, page), "utf-8")
        print(f"written: docs/{page}")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table of which the first column is text and the others are numbers."""
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def bars(title: str, unit: str, heights: dict[str, float]) -> str:
    """Return a Mermaid bar chart."""
    return chart("bar", title, list(heights), unit, list(heights.values()))


def chart(
    kind: str,
    title: str,
    names: Sequence[str],
    unit: str,
    values: Sequence[float],
    *,
    x_axis: str = "",
    form: str = ".4g",
) -> str:
    """Return a Mermaid chart of values by names; `kind` is bar or line."""
    quoted = ", ".join(f'"{name}"' for name in names)
    lines = [
        f'title "{title}"',
        f"x-axis {x_axis}[{quoted}]",
        f'y-axis "{unit}" 0 --> {max(values) * 1.1:{form}}',
        f"{kind} [{', '.join(format(value, form) for value in values)}]",
    ]
    return "\n".join(["```mermaid", "xychart-beta", *(f"    {line}" for line in lines), "```"])
