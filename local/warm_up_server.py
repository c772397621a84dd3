"""A moto server for the warm-up job: writes its endpoint to the given file and serves until its standard input ends.

It accepts only the access key in AWS_ACCESS_KEY_ID.
"""

import logging
import os
import sys
import threading
from pathlib import Path

from local.web import HOST, bind, moto_server


def main(endpoint_file: Path) -> None:
    """Serve until standard input ends."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    listener = bind(0)
    server = moto_server(listener, os.environ["AWS_ACCESS_KEY_ID"])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    unfinished = endpoint_file.with_suffix(".part")
    unfinished.write_text(f"http://{HOST}:{listener.getsockname()[1]}")
    unfinished.rename(endpoint_file)
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
