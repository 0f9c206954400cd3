"""Runs inside a container: installs the pinned `name==version` given, unless the project brought its own version."""

import importlib.metadata
import subprocess
import sys


def main(requirements: list[str]) -> int:
    missing = []
    for requirement in requirements:
        try:
            importlib.metadata.version(requirement.split("==")[0])
        except importlib.metadata.PackageNotFoundError:
            missing.append(requirement)
    if not missing:
        return 0
    # A pin may be too new for the pytest that the project brought: then whatever pip finds to go with it.
    command = [sys.executable, "-m", "pip", "install"]
    if subprocess.call([*command, *missing]) == 0 and subprocess.call([sys.executable, "-m", "pip", "check"]) == 0:
        return 0
    return subprocess.call([*command, *(name.split("==")[0] for name in missing)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
