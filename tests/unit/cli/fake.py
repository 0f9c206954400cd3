"""A fake session: answers TypeDefs from a module described in a few lines, and any chain from a function."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from graphql import (
    BooleanValueNode,
    FieldNode,
    FloatValueNode,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    parse,
)

Path = list[tuple[str, dict]]


class Failure(Exception):
    def __init__(self, message: str, **extensions: object) -> None:
        super().__init__(message)
        self.extensions = extensions


def value_of(node):
    match node:
        case IntValueNode():
            return int(node.value)
        case FloatValueNode():
            return float(node.value)
        case BooleanValueNode():
            return node.value
        case NullValueNode():
            return None
        case ListValueNode():
            return [value_of(item) for item in node.values or ()]
        case ObjectValueNode():
            return {each.name.value: value_of(each.value) for each in node.fields or ()}
    return node.value


class FakeSession:
    """`answer(path)` gives the value of a leaf; `path` is the fields with their arguments."""

    def __init__(self, typedefs: list[dict], answer: Callable[[Path], object]) -> None:
        self.typedefs = typedefs
        self.answer = answer
        self.paths: list[Path] = []
        self.documents: list[str] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                reply = json.dumps(fake.reply(body)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        self.port = self.server.server_address[1]

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def reply(self, body: dict) -> dict:
        if body.get("operationName") == "TypeDefs":
            return {"data": {"typeDefs": self.typedefs}}
        self.documents.append(body["query"])
        operation = parse(body["query"]).definitions[0]
        try:
            return {"data": self.walk(operation.selection_set, [])}
        except Failure as failure:
            return {"data": None, "errors": [{"message": str(failure), "extensions": failure.extensions}]}

    def walk(self, selections, path: Path):
        found = {}
        for node in selections.selections:
            if isinstance(node, InlineFragmentNode):
                found |= self.walk(node.selection_set, path)
                continue
            assert isinstance(node, FieldNode)
            arguments = {each.name.value: value_of(each.value) for each in node.arguments or ()}
            here = [*path, (node.name.value, arguments)]
            name = node.alias.value if node.alias else node.name.value
            if node.selection_set is None:
                self.paths.append(here)
                found[name] = self.answer(here)
            else:
                found[name] = self.walk(node.selection_set, here)
        return found


def ref(name: str) -> dict:
    """`Level` must be there, `Level?` may be null."""
    return {"name": name.rstrip("?"), "optional": name.endswith("?")}


def arg(name: str, type_name: str, *, default: object = None, description: str = "", ignore: tuple = ()) -> dict:
    return {
        "name": name,
        "description": description,
        "defaultValue": "" if default is None else json.dumps(default),
        "defaultPath": "",
        "ignore": list(ignore),
        "typeDef": ref(type_name),
    }


def function(name: str, returns: str, *args: dict, description: str = "", module: str = "demo") -> dict:
    return {
        "name": name,
        "description": description,
        "sourceModuleName": module,
        "returnType": ref(returns),
        "args": list(args),
    }


def typedef(name: str, kind: str, **body) -> dict:
    empty = dict.fromkeys(("asObject", "asScalar", "asEnum", "asInterface", "asInput", "asList"))
    return {"name": name, "kind": kind, "optional": False} | empty | body


def object_type(name: str, *functions: dict, fields: dict | None = None, module: str = "demo") -> dict:
    body = {
        "name": name,
        "description": "",
        "sourceModuleName": module,
        "constructor": None,
        "functions": list(functions),
        "fields": [{"name": n, "description": "", "typeDef": ref(t)} for n, t in (fields or {}).items()],
    }
    return typedef(name, "OBJECT_KIND", asObject=body)


def core_object(name: str, *functions: dict) -> dict:
    return object_type(name, *functions, module="")


def enum_type(name: str, *members: str) -> dict:
    listed = [{"name": member, "description": ""} for member in members]
    return typedef(name, "ENUM_KIND", asEnum={"name": name, "description": "", "members": listed})


def list_type(element: str) -> dict:
    return typedef(f"[{element}!]", "LIST_KIND", asList={"elementTypeDef": ref(element)})


PRIMITIVES = [
    typedef("String", "STRING_KIND"),
    typedef("Int", "INTEGER_KIND"),
    typedef("Float", "FLOAT_KIND"),
    typedef("Boolean", "BOOLEAN_KIND"),
    typedef("Void", "VOID_KIND"),
]
_PATH = arg("path", "String")
CORE = [
    core_object("Directory", function("sync", "Directory", module=""), function("export", "String", _PATH, module="")),
    core_object(
        "File",
        function("sync", "File", module=""),
        function("export", "String", _PATH, arg("allowParentDirPath", "Boolean?"), module=""),
        function("contents", "String", module=""),
    ),
    core_object("Container", function("sync", "Container", module=""), function("stdout", "String", module="")),
    core_object("Secret", function("plaintext", "String", module="")),
    core_object("Service", function("start", "Service", module="")),
    core_object("CacheVolume"),
]
