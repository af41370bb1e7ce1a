#!/usr/bin/env python3
"""Turns src/api/api.json, the route table and the queries into the description of the API (OpenAPI 3.1):

    embed_openapi.py api.json routes.c QUERIES KINDS.def [--c OUT.c --depfile FILE] [--json OUT.json]

--c: as the C tables of src/api/openapi.h; --json: as a document, of which the page's types are made;
without the queries, whose types build_queries.py makes.

api.json says what goes in and out of each route; the route table (routes.c) says the rest: who may ask,
how a viewer's answer is limited, what it is for. A route that is in one of them only stops the build. A type
is a text: int, double, bool, text, time, object, file, plain (text/plain), numbers and words (lists with commas), the
name of a schema, [T] a list of T, a|b one of these texts, 'a' this text; T? also null; "T: help"
adds a description, "int from 1" a least value, "int from 1 to 9" also a greatest. Where a JSON object stands for a type, it is an object of
exactly these members; a member "name?" may be missing. The schema server_kind is the rows of KINDS.def.

An operation has "parameters" (names out of "parameters": [type, example]; "@filter" for all that
"filter" lists, "any" where somebody else says what is sent), "body" (a type), "body_kb" (how large one in JSON
may be, where 16 are not enough), "errors" (further statuses that it fails with) and, under its HTTP status, what it answers (a type, null for no body). Parameters in
the path stand in "path_parameters". The first word of a path is its group; "groups" has titles of some.
Each query is an operation of its own, with its parameters and columns.
"""
import argparse
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
# What can go wrong with a request, by status: what is said of it, and whether it says when to come back.
ERRORS = {
    "400": ("invalid", "a parameter, a header or the body is wrong: error.field names it", False),
    "401": ("unauthorized", "log in first, or the API token is wrong", False),
    "403": ("denied", "not for this login or token, or from a page of another site", False),
    "404": ("not_found", "there is none", False),
    "409": ("conflict", "not as things are now; also while there is no media server yet", False),
    "413": ("too_large", "the body, or the answer, is over its limit", False),
    "426": ("upgrade_required", "only a WebSocket can be opened here", False),
    "429": ("rate_limited", "too many tries", True),
    "502": ("bad_gateway", "another machine, which was asked for this, failed", False),
    "503": ("unavailable", "too much waits, or something is not there now", True),
    "504": ("timeout", "it took longer than it may, and was stopped", False),
}
BODY_KB = 16 # at most, of a body that is no file
SEARCHES = {"QUERY", "BOTH"} # run in a query worker, which a queue leads to and which has a time limit

given = argparse.ArgumentParser()
for name in ("description", "routes", "queries", "kinds"):
    given.add_argument(name)
for name in ("--c", "--depfile", "--json"):
    given.add_argument(name)
given = given.parse_args()
document = json.loads(pathlib.Path(given.description).read_text())
kinds = re.findall(r"^SERVER_KIND\(\w+, (\w+),", pathlib.Path(given.kinds).read_text(), re.M)
document["schemas"]["server_kind"] = "|".join(kinds)


def read_routes(path):
    """The rows of the route table, in its order."""
    row = re.compile(r'^    (SETUP_)?(VIEWER_)?ROUTE\("(\w+)", "([^"]+)", (\w+), (\w+), (\w+),((?:\s*"[^"]*")+)\)', re.M)
    found = [{"method": method, "pattern": pattern, "role": "viewer" if scoped else word.lower(),
              "scoped": word.lower() if scoped else None, "is_for_setup": bool(setup), "runs_in": runs_in,
              "handler": handler, "summary": "".join(re.findall(r'"([^"]*)"', summary))}
             for setup, scoped, method, pattern, word, runs_in, handler, summary in row.findall(path.read_text())]
    if len(found) != len(re.findall(r'^    \w*ROUTE\(', path.read_text(), re.M)):
        sys.exit(f"{path}: a row of the route table is written otherwise than the others")
    return found


def key_of(query):
    """A slash would be one of the references to what is named so."""
    return query["name"].replace("/", "-")


def add_query(query):
    """The query as an operation, with a schema of its rows and its own parameters."""
    name, own = query["name"], []
    for one in query["params"]:
        values = "|".join(one["choices"]) or (
            "text" if one["type"] == "text" else f"{one['type']} from {one['least']} to {one['most']}")
        values = f"'{values}'" if len(one["choices"]) == 1 else values
        key = f"{key_of(query)}.{one['name']}"
        document["parameters"][key] = [f"{values}: {one['help']}", one["default"] or "a"]
        own.append(key)
    row = {c["name"]: c["type"] + ("?" if c["may_be_null"] else "") + ": " + c["help"]
           for c in query["columns"]}
    if query["behind_sql"]:
        row["behind?"] = "text?: with explain, the filter of the plays behind the row"
    own_row = f"row.{key_of(query)}"
    own_answer = f"answer.{key_of(query)}"
    document["schemas"][own_row] = row
    document["schemas"][own_answer] = {
        "data": f"[{own_row}]", "explain?": "explanation",
        "compare?": {"from": "time", "to": "time", "data": f"[{own_row}]"}, "meta": "query_meta"}
    document["operations"][f"GET /analytics/{name}"] = {
        "parameters": own + ["@filter", "format", "compare", "explain"],
        "description": f"{query['question']} A row is {query['row']}. {query['about']}",
        "200": own_answer, "304": None}


# The queries are one row.
routes = read_routes(pathlib.Path(given.routes))
keys = {f"{route['method']} {route['pattern']}" for route in routes}
for key in sorted((keys ^ set(document["operations"])) - {"GET /analytics/{name}"}):
    sys.exit(f"{key}: " + (f"not in {given.description}" if key in keys else f"no such route in {given.routes}"))

queries = build_queries.read_queries(given.queries)
for each in queries:
    add_query(each)


def schema(spec, where):
    if isinstance(spec, dict):
        members = {name.removesuffix("?"): schema(value, f"{where}.{name}")
                   for name, value in spec.items()}
        needed = [name for name in spec if not name.endswith("?")]
        return {"type": "object", "properties": members, "required": needed,
                "additionalProperties": False}
    word, _, help_text = spec.partition(": ")
    word, _, bounds = word.partition(" from ")
    least, _, most = bounds.partition(" to ")
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
        sys.exit(f"{given.description}: {where}: '{word}' is no type")
    if can_be_null:
        found = ({"anyOf": [found, {"type": "null"}]} if "$ref" in found
                 else found | {"type": [found["type"], "null"]})
    if least:
        found["minimum"] = float(least) if "." in least else int(least)
    if most:
        found["maximum"] = float(most) if "." in most else int(most)
    if help_text:
        found["description"] = help_text
    return found


def parameter(name, place, spec, example):
    found = schema(spec, name)
    help_text = found.pop("description", name)
    return {"name": name.split(".")[-1], "in": place, "required": place == "path", "description": help_text,
            "schema": found, "example": example}


def parameters_of(key, spec):
    """Names of what the query of its address may have."""
    names = spec.get("parameters", [])
    found = [] if names == "any" else [one for name in names
                                       for one in (document["filter"] if name == "@filter" else [name])]
    for name in found:
        if name not in document["parameters"]:
            sys.exit(f"{given.description}: {key}: there is no parameter '{name}'")
    return found


def errors_of(route, key, spec):
    """Statuses of what can go wrong: by who may ask, what is sent and where it runs."""
    found = {"400", *spec.get("errors", "").split()}
    if route["role"] != "nobody":
        found |= {"401", "403", "429", "503"} # 429: too many wrong tokens from one address
    if route["method"] != "GET":
        found.add("403") # another site
    if not route["is_for_setup"]:
        found.add("409")
    if "{" in key:
        found.add("404")
    if "body" in spec:
        found.add("413")
    if route["runs_in"] in SEARCHES:
        found |= {"503", "504"}
    return sorted(found)


def operation(route, pattern):
    key = f"{route['method']} {pattern}"
    spec = document["operations"][key]
    names = parameters_of(key, spec)
    found = {
        "operationId": re.sub(r"[^a-z0-9]+", "_", key.lower()).strip("_"), "summary": route["summary"],
        "tags": [group_of(pattern)], "x-role": route["role"]}
    if route["scoped"]:
        found["x-scoped"] = route["scoped"] # in what way it is limited to the viewer's own plays
    if "description" in spec:
        found["description"] = spec["description"]
    found["security"] = [] if route["role"] == "nobody" else [{"session": []}, {"token": []}, {"basic": []}]
    found["parameters"] = [
        {"$ref": f"#/components/parameters/path.{name}"} for name in re.findall(r"\{(\w+)\}", key)] + [
        {"$ref": f"#/components/parameters/{name}"} for name in names]
    if "body" in spec:
        kind = "application/octet-stream" if spec["body"] == "file" else "application/json"
        found["requestBody"] = {"required": True,
                                "content": {kind: {"schema": schema(spec["body"], key)}}}
        if spec["body"] != "file":
            found["requestBody"]["x-most-bytes"] = bytes_of(spec)
    answers = {}
    for status, answer in spec.items():
        if not status.isdigit():
            continue
        kind = {"file": "application/gzip", "plain": "text/plain"}.get(answer, "application/json")
        if isinstance(answer, str) and answer.startswith("file "):
            answer, kind = answer.split()
        answers[status] = {"description": REASONS[status]} | (
            {"content": {kind: {"schema": schema(answer, key)}}} if answer else {})
    if "format" in names:
        answers["200"]["content"] |= {
            kind: {"schema": {"type": "string"}} for kind in ("text/csv", "application/x-ndjson")} | {
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
            "application/geo+json": {"schema": {"type": "object"}}}
    for status in errors_of(route, key, spec):
        answers.setdefault(status, {"$ref": f"#/components/responses/{ERRORS[status][0]}"})
    found["responses"] = answers | {"default": {"$ref": "#/components/responses/failed"}}
    return found


def group_of(pattern):
    word = pattern.split("/")[1]
    return document["groups"].get(word, word.replace("-", " ").replace(".", " ").capitalize())


def error_response(text, is_to_be_retried):
    found = {"description": text,
             "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}}
    if is_to_be_retried:
        found["headers"] = {"Retry-After": {"description": "seconds to wait, where it is known",
                                            "schema": {"type": "integer"}}}
    return found


def paths():
    found = {}
    for route in routes:
        # Each query is a path of its own: its parameters and rows differ.
        rows = [(f"/analytics/{one['name']}", route | {"role": one["role"], "summary": one["title"]}) for one in queries] \
            if route["handler"] == "query" else [(route["pattern"], route)]
        for pattern, row in rows:
            found.setdefault(f"/api/v1{pattern}", {})[row["method"].lower()] = operation(row, pattern)
    return found


def bytes_of(spec):
    """How large the body may be, if it is no file."""
    return spec.get("body_kb", BODY_KB) * 1024


def words_of(found):
    """C: the words that a text must be one of; NULL: any."""
    while "$ref" in found:
        found = components["schemas"][found["$ref"].split("/")[-1]]
    return f'"{"|".join(found["enum"])}"' if "enum" in found else "0"


def types_of(found):
    """The JSON types that a schema allows, as BODY_... of src/api/openapi.h."""
    if "$ref" in found:
        return types_of(components["schemas"][found["$ref"].split("/")[-1]])
    if "anyOf" in found:
        return sorted({one for each in found["anyOf"] for one in types_of(each)})
    kinds = found["type"] if isinstance(found["type"], list) else [found["type"]]
    return sorted(f"BODY_{kind.upper()}" for kind in kinds)


def body_of(route):
    """C: how large a body the route takes, and the members of the object that it is; none where it takes none."""
    spec = document["operations"].get(f"{route['method']} {route['pattern']}", {})
    if spec.get("body", "file") == "file":
        return f"    {{{bytes_of(spec)}, 0, 0}},"
    found = components["schemas"][spec["body"]]
    members = []
    for name, member in found["properties"].items():
        items = " | ".join(types_of(member["items"])) if "items" in member else "0"
        members.append(f'{{"{name}", {" | ".join(types_of(member))}, {items}, {words_of(member)}, {str(name in found["required"]).lower()}}}')
    return f"    {{{bytes_of(spec)}, (const struct api_member[]){{{', '.join(members)}}}, {len(members)}}},"


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def members(value):
    return compact(value)[1:-1]


# Without what is known only when it runs: version, BASE_PATH, the cookie's name.
schemes = {
    "token": {"type": "http", "scheme": "bearer",
              "description": "An API token, cgt_...: Settings, API tokens, or cartographus token add"},
    "basic": {"type": "http", "scheme": "basic", "description": "Name and password, with AUTH_MODE=basic"},
}
components = {
    "schemas": {name: schema(spec, name) for name, spec in document["schemas"].items()},
    "parameters": {name: parameter(name, "query", *spec) for name, spec in document["parameters"].items()} | {
        f"path.{name}": parameter(name, "path", *spec) for name, spec in document["path_parameters"].items()},
    "responses": {"failed": error_response("what went wrong", False)} | {
        name: error_response(text, is_to_be_retried) for name, text, is_to_be_retried in ERRORS.values()},
}
all_paths = paths()
tags = list(dict.fromkeys(one["tags"][0] for methods in all_paths.values() for one in methods.values()))
rest = {"tags": [{"name": name} for name in tags], "paths": all_paths}

if given.c:
    # What each row's address may have: names with blanks around; NULL: it sees to it itself.
    taken = []
    for route in routes:
        spec = document["operations"].get(f"{route['method']} {route['pattern']}")
        is_free = spec is None or spec.get("parameters") == "any"
        taken.append("    0," if is_free else f"    {build_queries.c_text(' ' + ' '.join(n.split('.')[-1] for n in parameters_of('', spec)) + ' ')},")
    pathlib.Path(given.c).write_text("\n".join([
        '#include "api/openapi.h"', "", "const char *const api_parameters[] = {", *taken, "};",
        "const struct api_body api_bodies[] = {", *map(body_of, routes), "};",
        f"const char api_schemes[] = {build_queries.c_text(members(schemes))};",
        f"const char api_components[] = {build_queries.c_text(members(components))};",
        f"const char api_paths[] = {build_queries.c_text(members(rest))};", ""]))
    pathlib.Path(given.depfile).write_text(f"{given.c}: {build_queries.sources(given.queries)}\n")
if given.json:
    def is_of_query(name):
        return any(name in (f"row.{key_of(one)}", f"answer.{key_of(one)}") or
                   name.startswith(f"{key_of(one)}.") or name == f"/api/v1/analytics/{one['name']}" for one in queries)

    def others(named):
        return {name: value for name, value in named.items() if not is_of_query(name)}

    below = {path.removeprefix("/api/v1"): methods for path, methods in others(all_paths).items()}
    whole = {"openapi": "3.1.0", "info": {"title": "Cartographus", "version": "0"}, "servers": [{"url": "/api/v1"}], "paths": below,
             "components": {kind: others(named) for kind, named in components.items()}}
    build_queries.write(given.json, compact(whole))
