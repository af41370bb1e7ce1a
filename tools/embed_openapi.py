#!/usr/bin/env python3
"""Turns src/api/api.json and the queries into the C tables of src/api/openapi.h:

    embed_openapi.py api.json routes.c OUT.c QUERIES DEPFILE KINDS.def

api.json says what goes in and out of each route; the route table (routes.c) says the rest. A route
that is in one of them only stops the build. A type
is a text: int, double, bool, text, time, object, file, plain (text/plain), numbers and words (lists with commas), the
name of a schema, [T] a list of T, a|b one of these texts, 'a' this text; T? also null; "T: help"
adds a description, "int from 1" a least value. Where a JSON object stands for a type, it is an object of
exactly these members; a member "name?" may be missing. The schema server_kind is the rows of KINDS.def.

An operation has "parameters" (names out of "parameters": [type, example]; "@filter" for all that
"filter" lists), "body" (a type) and, under its HTTP status, what it answers (a type, null for no
body). Each query is an operation of its own, with its parameters and columns.
"""
import json
import pathlib
import re
import sys

sys.dont_write_bytecode = True
import build_queries

PLAIN = {
    "int": {"type": "integer"}, "double": {"type": "number"}, "bool": {"type": "boolean"},
    "text": {"type": "string"}, "time": {"type": "string", "format": "date-time"},
    "object": {"type": "object"}, "any": {}, "plain": {"type": "string"}, "file": {"type": "string", "format": "binary"},
    "numbers": {"type": "string", "pattern": "^[0-9]+(,[0-9]+)*$"},
    "words": {"type": "string", "pattern": "^[^,]+(,[^,]+)*$"},
}
REASONS = {"101": "the connection becomes a WebSocket", "200": "the answer", "201": "made", "202": "it has begun",
           "204": "done", "303": "on to another page", "304": "what the asker has is right", "503": "not now"}
document = json.loads(pathlib.Path(sys.argv[1]).read_text())
kinds = re.findall(r"^SERVER_KIND\(\w+, (\w+),", pathlib.Path(sys.argv[6]).read_text(), re.M)
document["schemas"]["server_kind"] = "|".join(kinds)


def add_query(query):
    """The query as an operation, with a schema of its rows and its own parameters."""
    name, own = query["name"], []
    for one in query["params"]:
        values = "|".join(one["choices"]) or one["type"]
        values = f"'{values}'" if len(one["choices"]) == 1 else values
        key = f"{name.replace('/', '-')}.{one['name']}" # a slash would be one of the reference to it
        document["parameters"][key] = [f"{values}: {one['help']}", one["default"] or "a"]
        own.append(key)
    row = {c["name"]: c["type"] + ("?" if c["may_be_null"] else "") + ": " + c["help"]
           for c in query["columns"]}
    if query["behind_sql"]:
        row["behind?"] = "text?: with explain, the filter of the plays behind the row"
    own_row = f"row.{name.replace('/', '-')}"
    own_answer = f"answer.{name.replace('/', '-')}"
    document["schemas"][own_row] = row
    document["schemas"][own_answer] = {
        "data": f"[{own_row}]", "explain?": "explanation",
        "compare?": {"from": "time", "to": "time", "data": f"[{own_row}]"}, "meta": "query_meta"}
    document["operations"][f"GET /analytics/{name}"] = {
        "parameters": own + ["@filter", "format", "compare", "explain"],
        "description": f"{query['title']}: {query['question']} {query['about']}",
        "200": own_answer, "304": None}


# The queries are one route.
routes = {f"{method} {pattern}" for method, pattern in
          re.findall(r'ROUTE\("(\w+)", "([^"]+)"', pathlib.Path(sys.argv[2]).read_text())}
for key in sorted((routes ^ set(document["operations"])) - {"GET /analytics/{name}"}):
    sys.exit(f"{key}: " + (f"not in {sys.argv[1]}" if key in routes else f"no such route in {sys.argv[2]}"))

for each in build_queries.read_queries(sys.argv[4]):
    add_query(each)
pathlib.Path(sys.argv[5]).write_text(f"{sys.argv[3]}: {build_queries.sources(sys.argv[4])}\n")


def schema(spec, where):
    if isinstance(spec, dict):
        members = {name.removesuffix("?"): schema(value, f"{where}.{name}")
                   for name, value in spec.items()}
        needed = [name for name in spec if not name.endswith("?")]
        return {"type": "object", "properties": members, "required": needed,
                "additionalProperties": False}
    word, _, help_text = spec.partition(": ")
    word, _, least = word.partition(" from ")
    can_be_null = word.endswith("?")
    word = word.removesuffix("?")
    if word.startswith("["):
        found = {"type": "array", "items": schema(word[1:-1], where)}
    elif word in PLAIN:
        found = dict(PLAIN[word])
    elif word in document["schemas"]:
        found = {"$ref": f"#/components/schemas/{word}"}
    elif "|" in word or word.startswith("'"):
        found = {"type": "string", "enum": word.strip("'").split("|")}
    else:
        sys.exit(f"{sys.argv[1]}: {where}: '{word}' is no type")
    if can_be_null:
        found = ({"anyOf": [found, {"type": "null"}]} if "$ref" in found
                 else found | {"type": [found["type"], "null"]})
    if least:
        found["minimum"] = int(least)
    if help_text:
        found["description"] = help_text
    return found


def parameter(name, place, spec, example):
    found = schema(spec, name)
    help_text = found.pop("description", name)
    return {"name": name.split(".")[-1], "in": place, "required": place == "path", "description": help_text,
            "schema": found, "example": example}


def operation(key, spec):
    found = {"parameters": []}
    for name in re.findall(r"\{(\w+)\}", key):
        found["parameters"].append({"$ref": f"#/components/parameters/{name}"})
    if "description" in spec:
        found["description"] = spec["description"]
    given = [one for name in spec.get("parameters", [])
             for one in (document["filter"] if name == "@filter" else [name])]
    for name in given:
        if name not in document["parameters"]:
            sys.exit(f"{sys.argv[1]}: {key}: there is no parameter '{name}'")
        found["parameters"].append({"$ref": f"#/components/parameters/{name}"})
    if "body" in spec:
        kind = "application/octet-stream" if spec["body"] == "file" else "application/json"
        found["requestBody"] = {"required": True,
                                "content": {kind: {"schema": schema(spec["body"], key)}}}
    found["responses"] = {}
    for status, answer in spec.items():
        if not status.isdigit():
            continue
        kind = {"file": "application/gzip", "plain": "text/plain"}.get(answer, "application/json")
        found["responses"][status] = {"description": REASONS[status]} | (
            {"content": {kind: {"schema": schema(answer, key)}}} if answer else {})
    if "format" in given:
        found["responses"]["200"]["content"] |= {
            kind: {"schema": {"type": "string"}} for kind in ("text/csv", "application/x-ndjson")}
    found["responses"]["default"] = {"$ref": "#/components/responses/error"}
    return found


def c_text(value):
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


paths = "".join(document["operations"])
components = {
    "schemas": {name: schema(spec, name) for name, spec in document["schemas"].items()},
    "parameters": {
        name: parameter(name, "path" if "{" + name + "}" in paths else "query", *spec)
        for name, spec in document["parameters"].items()},
    "responses": {"error": {
        "description": "what went wrong",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}}},
}
rows = []
for key, spec in document["operations"].items():
    method, pattern = key.split(" ")
    members = json.dumps(operation(key, spec), separators=(",", ":"))[1:-1]
    rows.append(f"    {{{c_text(method)}, {c_text(pattern)},\n     {c_text(members)}}},")
members = json.dumps(components, separators=(",", ":"))[1:-1]
pathlib.Path(sys.argv[3]).write_text("\n".join([
    '#include "api/openapi.h"', "", "const struct api_doc api_docs[] = {", *rows, "};",
    "const size_t api_doc_count = sizeof api_docs / sizeof api_docs[0];",
    f"const char api_components[] = {c_text(members)};", ""]))
