"""Tables and charts that are made, in pages of docs/ that are written by hand.

They lie between ``<!-- NAME -->`` and ``<!-- end of NAME -->``.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def with_blocks(name_of_page: str, *makers: Callable[[], str]) -> str:
    """A page with its blocks made anew; each is named as the function that makes it.

    Raises:
        SystemExit: the page has no place for one of them.
    """
    page = (DOCS / name_of_page).read_text("utf-8")
    for make in makers:
        name = make.__name__
        begin, end = f"<!-- {name} -->\n\n", f"\n\n<!-- end of {name} -->"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"docs/{name_of_page} has no block between {begin.strip()} and {end.strip()}")
        page = before + begin + make() + end + after
    return page


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, its first column text and the others numbers."""
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def bars(title: str, unit: str, heights: dict[str, float]) -> str:
    """A bar chart in Mermaid."""
    names = ", ".join(f'"{name}"' for name in heights)
    values = ", ".join(f"{height:.4g}" for height in heights.values())
    return "\n".join(
        [
            "```mermaid",
            "xychart-beta",
            f'    title "{title}"',
            f"    x-axis [{names}]",
            f'    y-axis "{unit}" 0 --> {max(heights.values()) * 1.1:.4g}',
            f"    bar [{values}]",
            "```",
        ]
    )
