"""Runs commands one after another in this process, whose standard output is the test's terminal.

Its own program, so that real file descriptors are a real terminal. Reads a JSON list of command
lines; before each it prints a line that starts with MARK.
"""

import json
import sys
from pathlib import Path

import httpx

from app.cli.main import app
from tests.cli.output.samples import answer

MARK = "\N{SYMBOL FOR RECORD SEPARATOR}"


def main() -> None:
    transport = httpx.MockTransport(answer)
    for arguments in json.loads(Path(sys.argv[1]).read_text()):
        print(MARK + json.dumps(arguments), flush=True)
        try:
            app(arguments, prog_name="twinlink", standalone_mode=True, obj=transport)
        except SystemExit as end:
            print(f"{MARK}exit {end.code}", flush=True)


if __name__ == "__main__":
    main()
