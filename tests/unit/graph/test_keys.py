"""Keys: what changes a result changes the key, and nothing else does. Golden values guard against silent drift."""

from __future__ import annotations

from dataclasses import replace

from sealane_engine.graph.keys import action_inputs, canonical, make_key, step_inputs
from sealane_engine.graph.operation import Copy, Exec, Ref, Scratch, WriteFile

STEP = Exec(root=Scratch(), args=("echo", "hi"), env=(("A", "1"),), cwd="/w")


def test_a_key_is_golden() -> None:
    """A change of this value makes every stored result a miss: raise KEY_VERSION with it."""
    assert (
        make_key("step", step_inputs(STEP)).digest
        == "sha256:b1f95481c7f16bc01645a88556041c8d83a0de1123afe8e8eafccee6e2007713"
    )


def test_arguments_environment_and_directory_are_in_the_key() -> None:
    base = make_key("step", step_inputs(STEP)).digest
    for changed in (
        replace(STEP, args=("echo", "ho")),
        replace(STEP, env=(("A", "2"),)),
        replace(STEP, cwd="/"),
        replace(STEP, user="nobody"),
        replace(STEP, privileged=True),
        replace(STEP, expect="ANY"),
        replace(STEP, platform="linux/arm64"),
    ):
        assert make_key("step", step_inputs(changed)).digest != base


def test_the_value_of_a_volatile_variable_is_not_in_the_key() -> None:
    one = replace(STEP, volatile_env=(("RUN", "1"),))
    two = replace(STEP, volatile_env=(("RUN", "2"),))
    assert make_key("step", step_inputs(one)).digest == make_key("step", step_inputs(two)).digest


def test_written_data_is_in_the_key_as_a_digest_only() -> None:
    inputs = action_inputs(WriteFile("/f", b"data"))
    assert inputs["data"].startswith("sha256:")
    assert inputs["data"] != action_inputs(WriteFile("/f", b"other"))["data"]


def test_a_copy_leaves_its_source_to_whoever_knows_the_content() -> None:
    assert "source" not in action_inputs(Copy(Ref(Scratch()), "/x"))


def test_canonical_json_does_not_depend_on_order() -> None:
    assert canonical({"b": 1, "a": [2, {"d": None, "c": "é"}]}) == canonical({"a": [2, {"c": "é", "d": None}], "b": 1})
