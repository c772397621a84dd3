"""A plain moto for the warm-up job: serves until its standard input ends, and writes its port to the file named."""

import logging
import sys
from pathlib import Path

from moto.server import ThreadedMotoServer


def main(port_file: Path) -> None:
    """Returns when nobody needs it any more."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    unfinished = port_file.with_suffix(".part")
    unfinished.write_text(str(server.get_host_and_port()[1]))
    unfinished.rename(port_file)
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
