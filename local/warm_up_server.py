"""A plain moto for the warm-up job: serves until its standard input ends, and writes its endpoint to the file named.

Accepts the access key of AWS_ACCESS_KEY_ID only.
"""

import logging
import os
import sys
import threading
from pathlib import Path

from local.web import HOST, bind, moto_server


def main(endpoint_file: Path) -> None:
    """Returns when nobody needs it any more."""
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
