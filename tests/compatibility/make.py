"""Writes the fixtures that are missing: ``python -m tests.compatibility.make``.

It is for a NEW kind of stored thing. A fixture that exists is never written anew: it stands for what deployed stacks
hold, and they hold it whatever the code says later.
"""

import json
import sys

from tests.compatibility.fixtures import path_of
from tests.compatibility.stored import EVERYTHING
from tests.compatibility.stored.kinds import steady_clock
from tests.compatibility.world import opened


def main() -> None:
    """Write what is missing, and name it."""
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
