"""`python -m benchmarks [PART …]`: measure, print one table, write benchmarks/results/<part>.json."""

import sys
from collections.abc import Callable

from rich.console import Console

from benchmarks import arrivals, burst, history, load, reference, transform, validate
from benchmarks.figures import Figure, show, write
from benchmarks.measure import ROOT

PARTS: dict[str, Callable[[], list[Figure]]] = {
    module.PART: module.figures for module in (transform, history, arrivals, burst, load, validate, reference)
}
RESULTS = ROOT / "benchmarks" / "results"


def main(names: list[str]) -> None:
    """Run the named parts, or all, one after another. Nothing else should run on the machine."""
    console = Console()
    unknown = sorted(set(names) - set(PARTS))
    if unknown:
        sys.exit(f"unknown part {', '.join(unknown)}: choose from {', '.join(PARTS)}")
    all_figures: list[Figure] = []
    for name in names or PARTS:
        with console.status(f"measuring: {name}"):
            figures = PARTS[name]()
        write(figures, RESULTS / f"{name}.json")
        all_figures += figures
    show(all_figures, console)
    console.print(f"all values: {RESULTS.relative_to(ROOT)}/")


if __name__ == "__main__":
    main(sys.argv[1:])
