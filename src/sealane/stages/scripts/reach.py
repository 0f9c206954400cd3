"""Runs inside a container: whether addresses answer within so many seconds each; the first that doesn't ends it."""

import sys
import urllib.error
import urllib.request

seconds, *urls = sys.argv[1:]
for url in urls:
    try:
        with urllib.request.urlopen(url, timeout=float(seconds)) as answer:  # noqa: S310 - an address of ours
            answer.read(1)
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            sys.exit(f"{url}: {error}")
    except OSError as error:
        sys.exit(f"{url}: {error}")
