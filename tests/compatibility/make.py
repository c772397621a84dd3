"""Write the missing fixtures: ``python -m tests.compatibility.make``.

Use it for a NEW kind of stored document. It never overwrites a fixture, because deployed stacks contain such documents
regardless of later changes of the code.
"""

import json
import sys

from tests.compatibility.fixtures import path_of
from tests.compatibility.stored import EVERYTHING
from tests.compatibility.stored.kinds import steady_clock
from tests.compatibility.world import opened


def main() -> None:
    """Write the missing fixtures and print their names."""
    with opened() as world:
        for kind in EVERYTHING:
            path = path_of(kind.name)
            if path.exists():
                continue
            world.clear()
            with steady_clock():
                text = json.dumps(kind.write(world), ensure_ascii=False, indent=1) + "\n"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path.name} is new\n")


if __name__ == "__main__":
    main()
