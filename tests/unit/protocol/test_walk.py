"""Walking documents: calls are canonical, leaves are evaluated side by side, errors stand where they belong."""

from __future__ import annotations

import asyncio
import json

import pytest

from sealane_engine.errors import NotFound
from sealane_engine.protocol.call import ROOT, Call, dump, load
from sealane_engine.protocol.client import Client
from sealane_engine.protocol.ids import IdTable, decode, encode
from sealane_engine.protocol.messages import encode as encode_answer
from sealane_engine.protocol.schema import Schema
from sealane_engine.protocol.walk import execute

from .fake import FakeResolver, chain

SCHEMA = Schema.load()
CLIENT = Client("client", "token")


class Session:
    def __init__(self, **answers):
        self.resolver = FakeResolver(**answers)
        self.ids = IdTable()

    async def ask(self, document, variables=None, operation=None, schema=SCHEMA):
        return await execute(
            document, operation, variables, schema=schema, resolver=self.resolver, client=CLIENT, ids=self.ids
        )

    def __call__(self, document, variables=None, operation=None, schema=SCHEMA):
        return asyncio.run(self.ask(document, variables, operation, schema))

    def reason(self, document, variables=None):
        answer = self(document, variables)
        assert "data" not in answer, answer
        return answer["errors"][0]["extensions"]["reason"]


@pytest.fixture
def session():
    return Session()


def test_a_chain_is_evaluated_at_its_leaf_alone(session):
    answer = session('{container{from(address:"alpine"){a:withExec(args:["x"]){out:stdout}}}}')
    assert answer == {"data": {"container": {"from": {"a": {"out": "container.from.withExec.stdout"}}}}}
    (call,) = session.resolver.asked
    assert (call.type, call.field, call.receiver.arguments()) == ("String", "stdout", {"args": ("x",)})


def test_an_id_evaluates_nothing_and_names_its_call(session):
    text = session('{container{from(address:"a"){id}}}')["data"]["container"]["from"]["id"]
    assert session.resolver.asked == []
    named = decode(text)
    assert (named.type, named.digest) == ("Container", session.ids.load(text).digest)
    assert chain(session.ids.load(text)) == "container.from"


def test_equal_questions_make_equal_calls():
    variants = [
        '{container{withExec(args:["a"],expect:SUCCESS){id}}}',
        '{container{withExec(expect:"SUCCESS",args:"a",useEntrypoint:false,stdin:""){id}}}',
        '{x:container(platform:null){y:withExec(args:["a"] noInit:null) {id}}}',
        "query($a:[String!]!){container{withExec(args:$a){id}}}",
    ]
    ids = set()
    for document in variants:
        (outer,) = Session()(document, {"a": ["a"]})["data"].values()
        (inner,) = outer.values()
        ids.add(inner["id"])
    assert len(ids) == 1


def test_different_questions_make_different_calls():
    documents = [
        '{container{withExec(args:["a"]){id}}}',
        '{container{withExec(args:["a","b"]){id}}}',
        '{container{withExec(args:["a"],expect:ANY){id}}}',
        '{container(platform:"linux/arm64"){withExec(args:["a"]){id}}}',
    ]
    assert len({Session()(document)["data"]["container"]["withExec"]["id"] for document in documents}) == 4


def test_sync_evaluates_and_answers_an_id_that_loads(session):
    text = session('{container{from(address:"a"){sync}}}')["data"]["container"]["from"]["sync"]
    assert len(session.resolver.asked) == 1
    for document in (
        "query($i:ID!){r:node(id:$i){... on Container{stdout} ... on Directory{name} ... on Syncer{__typename}}}",
        "query($i:ContainerID!){r:loadContainerFromID(id:$i){stdout __typename}}",
    ):
        assert session(document, {"i": text})["data"]["r"] == {
            "stdout": "container.from.stdout",
            "__typename": "Container",
        }


def test_an_object_argument_is_the_call_that_its_id_names(session):
    text = session('{host{directory(path:"."){id}}}')["data"]["host"]["directory"]["id"]
    session(f'{{container{{withDirectory(path:"/x",source:"{text}"){{id}}}}}}')
    args = session.resolver.prepared[-1][2]
    assert isinstance(args["source"], Call)
    assert args["source"].type == "Directory"


def test_bad_ids_are_errors_of_their_field(session):
    container = session("{container{id}}")["data"]["container"]["id"]
    foreign = encode(Call.make(None, "Directory", "elsewhere"))
    for text, reason in ((container, "wrong-type"), (foreign, "unknown-id"), ("rubbish", "bad-id"), ("", "bad-id")):
        answer = session(f'{{directory{{withDirectory(path:"/",source:"{text}"){{name}}}} container{{stdout}}}}')
        assert answer["data"] is None
        assert answer["errors"][0]["extensions"]["reason"] == reason
        assert answer["errors"][0]["path"] == ["directory", "withDirectory"]


def test_node_of_an_unknown_id_is_null_and_leaves_the_rest(session):
    answer = session('{node(id:"zzz"){id} container{stdout}}')
    assert answer["data"] == {"node": None, "container": {"stdout": "container.stdout"}}
    assert answer["errors"][0]["path"] == ["node"]


def test_elements_of_a_list_are_calls_of_their_own(session):
    answer = session("{container{envVariables{id name}}}")
    found = answer["data"]["container"]["envVariables"]
    assert [one["name"] for one in found] == ["name1", "name2", "name3"]
    assert len({one["id"] for one in found}) == 3
    again = session("query($i:ID!){node(id:$i){... on EnvVariable{name}}}", {"i": found[1]["id"]})
    assert again["data"]["node"]["name"] == "name2"


def test_a_nullable_object_may_be_absent():
    assert Session(dockerHealthcheck=False)("{container{dockerHealthcheck{interval}}}") == {
        "data": {"container": {"dockerHealthcheck": None}}
    }
    assert Session()("{container{dockerHealthcheck{interval}}}")["data"]["container"]["dockerHealthcheck"] == {
        "interval": "value"
    }


def test_siblings_run_side_by_side(session):
    async def main():
        session.resolver.hold = asyncio.Event()
        task = asyncio.create_task(
            session.ask("{container{a:stdout b:stderr c:user envVariables{name value}} version}")
        )
        await session.resolver.when(lambda: session.resolver.running >= 10)
        session.resolver.hold.set()
        return await task

    assert "errors" not in asyncio.run(asyncio.wait_for(main(), 5))
    assert session.resolver.most_running == 10


def test_cancelling_a_request_cancels_its_evaluations(session):
    async def main():
        session.resolver.hold = asyncio.Event()
        task = asyncio.create_task(session.ask("{container{a:stdout b:stderr}}"))
        await session.resolver.when(lambda: session.resolver.running >= 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert session.resolver.cancelled == 2


def test_an_exec_error_has_all_that_the_client_needs(session):
    (error,) = session("{container{exitCode}}")["errors"]
    assert error["message"] == "exit code: 3"
    assert error["extensions"] == {
        "_type": "EXEC_ERROR",
        "cmd": ["sh", "-c", "exit 3"],
        "exitCode": 3,
        "stdout": "out",
        "stderr": "err",
    }
    assert error["path"] == ["container", "exitCode"]
    assert error["locations"] == [{"line": 1, "column": 12}]


def test_an_error_nulls_the_nearest_place_that_may_be_null():
    session = Session(label=NotFound("no such label"), user=NotFound("no user"))
    answer = session('{container{label(name:"x") stdout}}')
    assert answer["data"] == {"container": {"label": None, "stdout": "container.stdout"}}
    answer = session("{container{user} b:container{stdout}}")
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"]["reason"] == "not-found"


def test_every_failing_field_is_told_in_the_documents_order():
    session = Session(label=NotFound("first"), user=NotFound("second"))
    answer = session('{container{label(name:"x") user exitCode stdout}}')
    assert [error["message"] for error in answer["errors"]] == ["first", "second", "exit code: 3"]


def test_a_defect_of_ours_is_a_graphql_error_and_a_log_line(session, caplog):
    session.resolver.answers["user"] = ZeroDivisionError("oops")
    (error,) = session("{container{user}}")["errors"]
    assert error["message"] == "internal error: ZeroDivisionError: oops"
    assert error["extensions"] == {"reason": "internal-error"}
    assert "ZeroDivisionError" in caplog.text


def test_null_where_none_may_be_is_an_error():
    answer = Session(stdout=None)("{container{stdout}}")
    assert answer["errors"][0]["extensions"]["reason"] == "null-value"
    assert Session(up=None)("{host{tunnel(service:null){id}}}")["errors"]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{contaner{id}}", "unknown-field"),
        ("{container{__schema{types{name}}}}", "unknown-field"),
        ("{container}", "bad-selection"),
        ("{container{stdout{x}}}", "bad-selection"),
        ("{container{withExec{id}}}", "missing-argument"),
        ("{container{withExec(args:null){id}}}", "bad-value"),
        ("{container{withExec(args:[null]){id}}}", "bad-value"),
        ("{container{withExec(arg:1){id}}}", "unknown-argument"),
        ("{container{withExec(args:[1]){id}}}", "bad-value"),
        ("{container{withExec(args:[ANY]){id}}}", "bad-value"),
        ('{container{withExec(args:[["a"]]){id}}}', "bad-value"),
        ('{container{withExec(args:["a"],expect:NEVER){id}}}', "bad-value"),
        ('{container{withExec(args:["a"],expect:1){id}}}', "bad-value"),
        ('{container{withExec(args:["a"],noInit:"true"){id}}}', "bad-value"),
        ('{container{withExposedPort(port:"1"){id}}}', "bad-value"),
        ("{container{withExposedPort(port:1.5){id}}}", "bad-value"),
        ("{container{withExposedPort(port:true){id}}}", "bad-value"),
        ('{container{withDirectory(path:"/",source:7){id}}}', "bad-value"),
        ("{container{asService{up(ports:[{front:1}])}}}", "unknown-argument"),
        ("{container{asService{up(ports:[{frontend:1}])}}}", "missing-argument"),
        ("{container{withExec(args:$x){id}}}", "unknown-variable"),
        ("query($x:[String!]!){container{withExec(args:$x){id}}}", "missing-variable"),
        ("query($x:Sting){version}", "unknown-type"),
        ("{...F}", "unknown-fragment"),
        ("{... on Foo{version}}", "unknown-type"),
        ("{version @cached}", "unknown-directive"),
        ("{version @skip(if:1)}", "bad-value"),
        ('{a:container{id} a:container(platform:"x"){id}}', "conflicting-fields"),
        ("mutation{version}", "no-operation"),
    ],
)
def test_an_invalid_document_is_refused_before_anything_runs(session, document, reason):
    assert session.reason(f"{document[:-1]} first:version}}" if document[0] == "{" else document) == reason
    assert session.resolver.asked == []


def test_the_nearest_name_is_named(session):
    (error,) = session("{container{withExek(args:[]){id}}}")["errors"]
    assert "did you mean 'withExec'?" in error["message"]


def test_directives_variables_and_fragments_work_together(session):
    answer = session(
        """query Q($yes: Boolean = true, $no: Boolean!) {
             container { ...F a: stdout @skip(if: $yes) b: stdout @include(if: $no) }
           }
           fragment F on Container { c: stdout ... @include(if: $yes) { d: stderr } ...G }
           fragment G on Container { c: stdout __typename }""",
        {"no": False},
        "",
    )
    assert answer["data"]["container"] == {"c": "container.stdout", "d": "value", "__typename": "Container"}


def test_fragments_that_multiply_are_refused(session):
    parts = ["fragment F0 on Container{stdout}"]
    for n in range(1, 40):
        inside = f'withUser(name:"u"){{...F{n - 1}}}'
        parts.append(f"fragment F{n} on Container{{a:{inside} b:{inside}}}")
    document = "{container{...F39}}" + " ".join(parts)
    assert session.reason(document) == "document-too-large"


def test_a_chain_may_be_thousands_of_fields_long(session):
    depth = 5000
    document = "{container" + '{withUser(name:"u")' * depth + "{stdout}" + "}" * (depth + 1)
    answer = session(document)
    text = encode_answer(answer)
    assert text.count(b'"withUser"') == depth
    assert b"container" + b".withUser" * depth + b".stdout" in text


def test_what_a_resolver_prepares_is_what_is_called(session):
    text = session('{setSecret(name:"pw",plaintext:"hunter2"){id}}')["data"]["setSecret"]["id"]
    call = session.ids.load(text)
    assert call.arguments() == {"name": "pw"}
    assert call.scope == "client"
    assert "hunter2" not in json.dumps(dump(call))


def test_a_call_survives_being_written_down(session):
    text = session('{host{directory(path:".",exclude:["a"]){id}}}')["data"]["host"]["directory"]["id"]
    document = f'{{container{{withDirectory(path:"/x",source:"{text}"){{asService{{id}}}}}}}}'
    service = session(document)["data"]["container"]["withDirectory"]["asService"]["id"]
    call = session.ids.load(service)
    again = load(json.loads(json.dumps(dump(call))))
    assert again == call
    assert again.receiver.arguments()["source"].arguments() == {"path": ".", "exclude": ("a",)}


def test_the_id_of_query_names_the_root(session):
    assert session.ids.load(session("{id}")["data"]["id"]) is ROOT


def test_introspection_stands_beside_other_fields(session):
    answer = session(
        '{version __type(name:"Secret"){name kind fields{name}} __schema{queryType{name}} __schemaVersion}'
    )
    assert answer["data"]["__type"]["fields"] == [{"name": n} for n in ("id", "name", "plaintext", "uri")]
    assert answer["data"]["__schema"] == {"queryType": {"name": "Query"}}
    assert answer["data"]["__schemaVersion"].startswith("v0.21")


def test_an_enormous_introspection_is_refused(session):
    inner = "name"
    for _ in range(6):
        inner = f"fields{{type{{ofType{{{inner}}}}}}}"
    assert session.reason(f"{{__schema{{types{{{inner}}}}}}}") == "document-too-large"
