"""What a Dockerfile asks of its builder, and the configuration it gives."""

import pytest

from sealane_engine.errors import InvalidInput

pytest.importorskip("dockerfile", reason="needs the package dockerfile")


def test_arguments_are_in_the_environment_of_a_command_and_not_of_the_image(built):
    record, image = built("FROM b\nARG V=1\nRUN echo v$V\n", {"V": "9"})
    assert dict(record.runs[0].env) == {"PATH": "/bin", "V": "9"}
    assert record.runs[0].args == ("/bin/sh", "-c", "echo v$V")
    assert image.config["Env"] == ["PATH=/bin"]


def test_an_argument_before_from_counts_in_a_stage_only_where_it_is_declared(built):
    record, _ = built("ARG TAG=1\nFROM b:$TAG\nRUN a\nARG TAG\nRUN b\n")
    assert record.pulled == [("b:1", "linux/amd64")]
    assert "TAG" not in dict(record.runs[0].env)
    assert dict(record.runs[1].env)["TAG"] == "1"


def test_an_argument_without_from_or_default_stays_unset(built):
    record, _ = built("FROM b\nARG NO\nRUN a\n")
    assert "NO" not in dict(record.runs[0].env)


def test_environment_beats_an_argument_of_the_same_name(built):
    record, _ = built("FROM b\nENV A=image\nARG A=argument\nRUN x\nWORKDIR /$A\n")
    assert dict(record.runs[0].env)["A"] == "image"


def test_environment_of_the_base_is_expanded(built):
    _, image = built("FROM b\nENV PATH=/x:$PATH A=1\nENV A=2 B=$A\n")
    assert image.config["Env"] == ["PATH=/x:/bin", "A=2", "B=1"]


def test_only_stages_that_are_needed_are_built(built):
    record, _ = built("FROM a AS one\nRUN 1\nFROM b AS two\nRUN 2\nFROM c\nCOPY --from=one /x /y\n")
    assert {ref for ref, _ in record.pulled} == {"a", "c"}
    assert [step.args[-1] for step in record.runs] == ["1"]


def test_a_target_ends_the_build(built):
    record, image = built("FROM a AS One\nRUN 1\nFROM b AS two\nRUN exit 1\n", target="ONE")
    assert image.state == ("a", ("run", ("/bin/sh", "-c", "1")))
    assert [ref for ref, _ in record.pulled] == ["a"]


def test_an_unknown_target_names_the_stages(built):
    with pytest.raises(InvalidInput) as caught:
        built("FROM a AS one\n", target="two")
    assert caught.value.reason == "dockerfile-no-target"
    assert "one" in str(caught.value)


def test_copy_from_a_stage_an_image_and_the_context(built):
    record, _ = built(
        "FROM a AS s\nFROM b\nWORKDIR /w\nCOPY --from=s /x /y\nCOPY --from=other:1 q r/\nCOPY --chown=1:2 --chmod=755 . .\n"
    )
    first, second, third = record.copies
    assert (first.source, first.paths, first.dest) == (("a",), ("x",), "/y")
    assert (second.source, second.paths, second.dest) == (("other:1",), ("q",), "/w/r/")
    assert (third.source, third.paths, third.dest, third.owner, third.mode) == (None, (".",), "/w/", "1:2", "755")


def test_sources_never_lead_above_their_root(built):
    record, _ = built("FROM b\nCOPY ../../etc/passwd /x\n")
    assert record.copies[0].paths == ("etc/passwd",)


def test_here_documents_of_run(built):
    record, _ = built(
        "FROM b\nRUN <<EOT\nset -e\necho a\nEOT\nRUN <<X bash -e\necho $V\nX\nRUN <<-P\n\t#!/usr/bin/env python3\n\tprint()\nP\n"
    )
    one, two, three = record.runs
    assert one.args == ("/bin/sh", "-c", "set -e\necho a\n")
    assert two.args == ("/bin/sh", "-c", "<<X bash -e\necho $V\nX\n")
    assert three.args == ("/dev/pipes/P",)
    assert three.script == ("/dev/pipes/P", "#!/usr/bin/env python3\nprint()\n")


def test_here_documents_of_copy_expand_unless_their_delimiter_is_quoted(built):
    record, _ = built('FROM b\nARG A=1\nCOPY <<one <<"two" /d/\ndon\'t $A \\n\none\n$A\ntwo\n')
    assert record.copies[0].files == (("one", "don't 1 \\n\n"), ("two", "$A\n"))
    assert record.copies[0].paths == ()


def test_mounts_of_run(built):
    record, _ = built(
        "FROM b AS s\nFROM b\nWORKDIR /w\n"
        "RUN --mount=type=secret,id=tok --mount=type=cache,target=c,sharing=locked --mount=from=s,target=/m,rw "
        "--mount=type=tmpfs,target=/t,size=1m true\n"
    )
    secret, cache, bind, tmpfs = record.runs[0].mounts
    assert (secret.kind, secret.id, secret.target) == ("secret", "tok", "/run/secrets/tok")
    assert (cache.target, cache.id, cache.sharing) == ("/w/c", "c", "locked")
    assert (bind.target, bind.read_only) == ("/m", False)
    assert record.runs[0].sources == {2: ("b",)}
    assert tmpfs.size == 1 << 20


def test_a_bad_mount_names_the_line(built):
    with pytest.raises(InvalidInput, match=r"line 2.*unsupported mount type") as caught:
        built("FROM b\nRUN --mount=type=magic,target=/x true\n")
    assert caught.value.reason == "dockerfile-bad-mount"


def test_an_entrypoint_drops_the_command_of_the_base(built):
    images = {"b": {"Cmd": ["base"], "Entrypoint": None}}
    assert "Cmd" not in built('FROM b\nENTRYPOINT ["e"]\n', images=images)[1].config
    assert built('FROM b\nCMD ["c"]\nENTRYPOINT ["e"]\n', images=images)[1].config["Cmd"] == ["c"]


def test_configuration(built):
    config = built(
        "FROM scratch\nLABEL a=1 b='x y'\nEXPOSE 80 90-91/udp\nVOLUME /a /b\nSTOPSIGNAL SIGINT\nUSER me\n"
        'SHELL ["/bin/bash", "-c"]\nCMD run it\nHEALTHCHECK --interval=1m30s --retries=3 CMD curl -f || exit 1\n'
        "ONBUILD RUN later\n"
    )[1].config
    assert config["Labels"] == {"a": "1", "b": "x y"}
    assert list(config["ExposedPorts"]) == ["80/tcp", "90/udp", "91/udp"]
    assert list(config["Volumes"]) == ["/a", "/b"]
    assert config["Cmd"] == ["/bin/bash", "-c", "run it"]
    assert config["Healthcheck"] == {"Test": ["CMD-SHELL", "curl -f || exit 1"], "Interval": 90 * 10**9, "Retries": 3}
    assert (config["StopSignal"], config["User"], config["OnBuild"]) == ("SIGINT", "me", ["RUN later"])
    assert config["Env"] == ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]


def test_triggers_of_the_base_run_once(built):
    record, image = built("FROM b\nRUN after\n", images={"b": {"OnBuild": ["RUN first", "ENV A=1"]}})
    assert [step.args[-1] for step in record.runs] == ["first", "after"]
    assert "OnBuild" not in image.config
    assert image.config["Env"] == ["A=1"]


def test_an_unknown_instruction_is_refused_with_line_and_suggestion(built):
    with pytest.raises(InvalidInput) as caught:
        built("FROM b\nRUNN x\n")
    assert str(caught.value) == (
        "failed to convert Dockerfile to LLB: dockerfile parse error on line 2: "
        "unknown instruction: RUNN (did you mean RUN?)"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "dockerfile-empty"),
        ("RUN x\n", "dockerfile-no-stage"),
        ("FROM b\nCOPY --colour=red a b\n", "dockerfile-unknown-flag"),
        ("FROM b\nCOPY a\n", "dockerfile-invalid"),
        ("FROM b AS 1x\n", "dockerfile-invalid"),
        ("FROM ${EMPTY}\n", "dockerfile-no-base"),
        ('FROM b\nENV A="${B:?is needed}"\n', "dockerfile-bad-word"),
        ("FROM b\nONBUILD FROM c\n", "dockerfile-invalid"),
        ("FROM b\nCOPY a b c\n", "dockerfile-invalid"),
        ("FROM b\n\\\n", "dockerfile-unknown-instruction"),
        ("FROM b\nCOPY <<-${EOT /x\na\nEO]T\n", "dockerfile-unknown-instruction"),
        ("FROM b AS s\nCOPY --from=s a b\n", "dockerfile-no-stage"),
    ],
)
def test_what_cannot_be_built_is_refused(built, text, reason):
    with pytest.raises(InvalidInput) as caught:
        built(text)
    assert caught.value.reason == reason


def test_the_escape_directive_is_followed(built):
    record, _ = built("# escape=`\nFROM b\nRUN a `\n  b\nCOPY c:\\d /x\n")
    assert record.runs[0].args[-1].split() == ["a", "b"]
    assert record.copies[0].paths == ("c:\\d",)
