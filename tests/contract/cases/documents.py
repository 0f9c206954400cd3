"""JSON values, env files and addresses: what they say, without a container."""

from __future__ import annotations

from collections.abc import Mapping

import dagger

from .table import FAILS, IMAGE, Cases, base, ordered, sh, there

CASES: Cases = Cases("json", "core/integration/jsonvalue_test.go")
case = CASES


def json(d: dagger.Client, text: str) -> dagger.JSONValue:
    return d.json().with_contents(dagger.JSON(text))


USER = '{"user": {"name": "John", "age": 30, "profile": {"email": "j@e.com", "active": true}}}'

for _number in (42, -123, 0):
    case("TestInteger", f"integer {_number}", lambda d, n=_number: d.json().new_integer(n).as_integer(), _number)  # type: ignore[misc]
for _text in ("hello world", "", 'hello\nworld\t"quotes"'):
    case("TestString", f"string {_text!r}", lambda d, t=_text: d.json().new_string(t).as_string(), _text)  # type: ignore[misc]
for _truth in (True, False):
    case("TestBoolean", f"boolean {_truth}", lambda d, t=_truth: d.json().new_boolean(t).as_boolean(), _truth)  # type: ignore[misc]


async def elements(d: dagger.Client) -> object:
    found = await json(d, '[1, "hello", true, null]').as_array()
    return [len(found), await found[0].as_integer(), await found[1].as_string(), await found[2].as_boolean()]


case("TestArray", "array", elements, [4, 1, "hello", True])
case("TestNestedPaths", "a field of a field", lambda d: json(d, USER).field(["user", "name"]).as_string(), "John")
case("TestNestedPaths", "an integer field", lambda d: json(d, USER).field(["user", "age"]).as_integer(), 30)
case(
    "TestNestedPaths",
    "a deep string",
    lambda d: json(d, USER).field(["user", "profile", "email"]).as_string(),
    "j@e.com",
)
case(
    "TestNestedPaths", "a deep boolean", lambda d: json(d, USER).field(["user", "profile", "active"]).as_boolean(), True
)
case("TestEmptyPathError", "a field without a path", lambda d: json(d, '{"k": "v"}').field([]).as_string(), FAILS)
case("TestFields", "names of fields", lambda d: ordered(json(d, '{"n": 1, "a": 2}').fields()), ["a", "n"])
case(
    "TestWithField",
    "a new field",
    lambda d: d.json().with_field(["n"], d.json().new_string("B")).field(["n"]).as_string(),
    "B",
)
case(
    "TestWithField",
    "a new field's parents",
    lambda d: d.json().with_field(["p", "e"], d.json().new_string("B")).field(["p", "e"]).as_string(),
    "B",
)


async def pretty(d: dagger.Client) -> object:
    found = json(d, '{"a": 1, "b": [true]}')
    plain, lines = await found.contents(), await found.contents(pretty=True)
    return ["\n" in plain, "\n" in lines, "  " in lines]


case("TestBytes", "pretty contents have lines and indentation", pretty, [False, True, True])

# ---- env files

ENV = Cases("env file", "core/integration/envfile_test.go")
case = ENV


def env(d: dagger.Client, values: Mapping[str, str]) -> dagger.EnvFile:
    found = d.env_file()
    for name, value in values.items():
        found = found.with_variable(name, value)
    return found


async def variables(file: dagger.EnvFile) -> object:
    return {await each.name(): await each.value() for each in await file.variables()}


_SPACES: tuple[tuple[str, str, dict[str, str], dict[str, str]], ...] = (
    ("simple", "animal", {"animal_name": "d", "animal_species": "dog", "foo": "b"}, {"name": "d", "species": "dog"}),
    ("an underscore at the end", "animal_", {"animal_name": "d", "foo": "b"}, {"name": "d"}),
    ("case", "animal", {"ANIMAL_name": "d", "Animal_species": "dog", "foo": "b"}, {"name": "d", "species": "dog"}),
    ("underscores", "my_app", {"my_app_token": "t", "my_app_name": "p", "foo": "b"}, {"token": "t", "name": "p"}),
    (
        "dashes and humps",
        "my-app",
        {"my_app_token": "t", "myApp_name": "p", "foo": "b", "MY_aPp_URL": "u"},
        {"token": "t", "name": "p", "URL": "u"},
    ),
    ("underscores, one at the end", "my_app_", {"my_app_token": "t", "foo": "b"}, {"token": "t"}),
)
for _name, _space, _given, _left in _SPACES:
    case(
        "TestNamespace",
        f"namespace: {_name}",
        lambda d, given=_given, space=_space: variables(env(d, given).namespace(space)),  # type: ignore[misc]
        _left,
    )

_FILE = (
    'animal=dog\nmessage=hello, nice ${animal}\nmessage2="hello, nice $animal"\n'
    'QUOTED="double-quoted (with \\"), \'and single-quoted\'"\nsingle="hello, nice \'$animal\'"\n'
)


def read(d: dagger.Client, text: str) -> dagger.EnvFile:
    return d.file(".env", text).as_env_file()


case("TestFile", "a file comes back as it was", lambda d: read(d, _FILE).as_file().contents(), _FILE)
case("TestAsFileDoesNotAliasSelectedFile", "its file's name", lambda d: env(d, {"a": "1"}).as_file().name(), ".env")
case("TestOverride", "the last value counts", lambda d: env(d, {"F": "1"}).with_variable("F", "2").get("F"), "2")
_GREETING = {"GREETING": "bonjour", "NAME": "monde", "message": "$GREETING, $NAME!"}
case(
    "TestRemoveReferencedVariable",
    "variables are expanded",
    lambda d: env(d, _GREETING).get("message"),
    "bonjour, monde!",
)
case(
    "TestRemoveReferencedVariable",
    "a variable that another needs",
    lambda d: env(d, _GREETING).without_variable("NAME").get("message"),
    FAILS,
)
case(
    "TestRemoveReferencedVariable",
    "a raw value",
    lambda d: env(d, _GREETING).without_variable("NAME").get("message", raw=True),
    "$GREETING, $NAME!",
)
_EXPORT = 'export FOO=bar\nexport BAZ="qux quux"\nexport REF=$FOO-suffix\nPLAIN=plain\n'
for _name, _value in (("FOO", "bar"), ("BAZ", "qux quux"), ("REF", "bar-suffix"), ("PLAIN", "plain")):
    case("TestExportPrefix", f"export: {_name}", lambda d, n=_name: read(d, _EXPORT).get(n), _value)  # type: ignore[misc]
case(
    "TestUpdateVariableWithTheSameValue",
    "the value that it has",
    lambda d: d.directory().with_file(".env", read(d, "FOO=bar").with_variable("FOO", "bar").as_file()).entries(),
    [".env"],
)
for _name, _value, _read in (
    ("plain", "lots of (weird) characters", "lots of (weird) characters"),
    ("double quotes", '"hello world"', "hello world"),
    ("single quotes", "'hello world'", "hello world"),
    ("in single quotes nothing is expanded", "'$animal'", "$animal"),
    ("in double quotes variables are", '"nice $animal"', "nice dog"),
    ("single quotes in double quotes are text", "\"nice '$animal'\"", "nice 'dog'"),
    ("a name in braces", "${animal}man", "dogman"),
):
    case(
        "TestEvalMatch (core/dotenv)",
        f"value: {_name}",
        lambda d, v=_value: env(d, {"animal": "dog", "x": v}).get("x"),  # type: ignore[misc]
        _read,
    )

# ---- addresses

ADDRESS = Cases("address", "core/integration/address_test.go")
case = ADDRESS
for _value in (
    "foo", "123", "env://DEBUG", "cmd://echo hello world", "https://github.com/dagger/dagger", "tcp://localhost:4242",
    "unix:///var/run/docker.sock",
):  # fmt: skip
    case("TestValue", f"value of {_value}", lambda d, v=_value: d.address(v).value(), _value)  # type: ignore[misc]
case("TestContainer", "a container", lambda d: there(d.address("debian:bookworm-slim").container().image_ref()), True)
for _value in ("", "localhost:80", "tcp://", "http://localhost", "foo://bar"):
    case("TestService", f"no service: {_value!r}", lambda d, v=_value: d.address(v).service().hostname(), FAILS)  # type: ignore[misc]
case(
    "TestSecret",
    "a command's output",
    lambda d: d.address("cmd://echo hello there").secret().plaintext(),
    "hello there\n",
)
for _value, _uri in (
    ("env://HOME", "env://HOME"),
    ("env://HOME?cacheKey=bar1", "env://HOME"),
    ("env:HOME", "env://HOME"),
    ("HOME", "env://HOME"),
    ("file:///etc/hostname", "file:///etc/hostname"),
    ("file:///etc/hostname?cacheKey=bar2", "file:///etc/hostname"),
    ("cmd://echo foo", "cmd://echo foo"),
    ("cmd://echo foo?cacheKey=bar3", "cmd://echo foo"),
):
    case("TestSecret", f"uri of {_value}", lambda d, v=_value: d.address(v).secret().uri(), _uri)  # type: ignore[misc]

# ---- secrets

SECRET = Cases("secret", "core/integration/secret_test.go")
case = SECRET


def token(d: dagger.Client, text: str = "very-secret-text") -> dagger.Secret:
    return d.set_secret("key", text)


case("TestSet", "its plaintext", lambda d: token(d).plaintext(), "very-secret-text")
case("TestSet", "its name", lambda d: token(d).name(), "key")
case(
    "TestEnvFromFile",
    "in a variable",
    lambda d: sh(base(d).with_secret_variable("S", token(d)), 'test "$S" = "very-secret-text"; echo $?'),
    "0\n",
)
case(
    "TestMountFromFile",
    "in a file",
    lambda d: sh(base(d).with_mounted_secret("/s", token(d)), 'test "$(cat /s)" = "very-secret-text"; echo $?'),
    "0\n",
)
case(
    "TestSetWithEmptyName",
    "without a name",
    lambda d: sh(
        base(d).with_secret_variable("S", d.set_secret("", "nameless-text")), 'test "$S" = nameless-text; echo $?'
    ),
    "0\n",
)
case(
    "TestUnsetVariable",
    "a variable taken away",
    lambda d: sh(base(d).with_secret_variable("S", token(d)).without_secret_variable("S"), "printenv S || echo none"),
    "none\n",
)
case(
    "TestSecretVariableOverride",
    "the last of a name counts",
    lambda d: sh(
        base(d)
        .with_secret_variable("T", d.set_secret("short", "AA"))
        .with_secret_variable("T", d.set_secret("long", "BBBBBBBBB")),
        "printf %d ${#T}",
    ),
    "9",
)
case(
    "TestWhitespaceScrubbed",
    "lines are masked",
    lambda d: sh(base(d).with_secret_variable("S", token(d, "very\nsecret\ntext\n")), 'echo -n "$S"'),
    "***",
)
case(
    "TestBigScrubbed",
    "a big one is masked",
    lambda d: sh(base(d).with_secret_variable("S", token(d, "0123456789abcdef\n" * 200)), 'echo -n "$S"'),
    "***",
)
case(
    "(address_test.go TestSecret uri)",
    "one that can't be read is an error for who uses it",
    lambda d: d.address("env://NOT_SET_ANYWHERE?cacheKey=x").secret().uri(),
    "env://NOT_SET_ANYWHERE",
)
case(
    "(address_test.go TestSecret uri)",
    "one that can't be read has no plaintext",
    lambda d: d.secret("env://NOT_SET_ANYWHERE").plaintext(),
    FAILS,
)
case("(core/schema/secret.go ResolverForID)", "a provider that nobody knows", lambda d: d.secret("no://x").uri(), FAILS)
case(
    "(dockerfile_test.go TestDockerBuild with build secrets)",
    "what an image was built with is masked in what it prints",
    lambda d: (
        d.directory()
        .with_new_file("Dockerfile", f"FROM {IMAGE}\nRUN --mount=type=secret,id=key cp /run/secrets/key /kept\n")
        .docker_build(secrets=[token(d)])
        .with_exec(["sh", "-c", "cat /kept; tr a-z A-Z < /kept"])
        .stdout()
    ),
    "***VERY-SECRET-TEXT",
)
