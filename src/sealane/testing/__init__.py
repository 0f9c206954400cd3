"""Test a pipeline without an engine: `RecordingEngine` answers the unmodified `dagger-io` client from memory.

    async with RecordingEngine() as engine:
        engine.on("pytest", exit_code=1, stdout="1 failed")
        result = await test.run(await project.read(engine.directory({"tests/test_a.py": ""})))
        assert [step.args[0] for step in engine.steps] == [...]

It knows files, directories, commands and services, and runs none: a command succeeds and prints nothing unless `on` says
otherwise. What it can't answer is an error that names the field.
"""

from sealane.testing.recording import RecordingEngine
from sealane.testing.world import Step

__all__ = ["RecordingEngine", "Step"]
