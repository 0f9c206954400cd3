"""Runs inside a container beside a started image: waits until it answers, and says what it answered.

probe.py HOST PORT PATH SECONDS: an HTTP GET of PATH must answer 200; with PATH empty the port must be open.
"""

import socket
import sys
import time
import urllib.error
import urllib.request


def ask(host: str, port: int, path: str) -> str:
    """Empty when all is well, else what is wrong."""
    try:
        if not path:
            socket.create_connection((host, port), 3).close()
            return ""
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=5) as answer:
            sys.stdout.write(f"GET {path}: {answer.status} {answer.read(500).decode(errors='replace')}\n")
            return "" if answer.status == 200 else f"GET {path} answered {answer.status}"
    except urllib.error.HTTPError as error:
        return f"GET {path} answered {error.code}: {error.read(500).decode(errors='replace')}"
    except OSError as error:
        return f"port {port}: {getattr(error, 'reason', error)}"


def main(host: str, port: str, path: str, seconds: str) -> int:
    end = time.monotonic() + float(seconds)
    while wrong := ask(host, int(port), path):
        if time.monotonic() > end:
            sys.stderr.write(f"{wrong} (asked for {seconds} s)\n")
            return 1
        time.sleep(0.5)  # nothing tells a stranger when a server begins to listen
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
