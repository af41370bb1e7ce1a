#!/usr/bin/env python3
"""Makes everything that derives from sql/analytics/*.sql (docs/internals/analytics.md):

    build_queries.py FOLDER [--c FILE] [--depfile FILE] [--docs FILE] [--types FILE] [--check FILE]

--c the table of the catalogue, --depfile what it depends on (the folder, too: a new file is seen),
--docs docs/queries.md, --types the page's TypeScript types. --check fails when FILE is not what
--docs would write. A header that is not right fails with file and line."""
import argparse
import pathlib
import re
import sys

TYPES = {"int": "number", "double": "number", "text": "string", "bool": "boolean", "time": "string"}
ROLES = {"viewer": "ROLE_VIEWER", "admin": "ROLE_ADMIN"}
# Bound for every query: the time zone, and the instant that "today" is of.
BUILT_IN = {"tz", "now", "sees_all"}
ONCE = {"shared", "title", "question", "row", "role", "cache", "behind", "about", "short"}
REQUIRED = ("title", "question", "row", "about", "behind")
MOST_CACHE_S = 86400
WORDS = r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*"
# A file in a folder has a name with a slash, and so has its route: search/fuzzy.
NAME = re.compile(rf"{WORDS}(?:/{WORDS})?")
WORD = r"[a-z][a-z0-9_]*"
RESERVED = {"format", "explain", "compare"}
PARAM = re.compile(rf"({WORD}) = (?:(\S+) )?\(([^()]+)\): (.+)")
COLUMN = re.compile(rf"({WORD}) (\w+)(\??): (.+)")
HEADER = re.compile(r"-- ([a-z]+): (.*\S)")
ALSO = re.compile(r"(\S+) = ([^()]+) \(([^()]+)\): (.+)")


class Fault(Exception):
    pass


def read_range(text):
    """'1..200' -> (1, 200, is_double)"""
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)", text)
    if not found:
        return None
    least, most = found.groups()
    if float(least) > float(most):
        raise Fault(f"the range {text} is empty")
    return least, most, "." in least + most


def read_param(text):
    found = PARAM.fullmatch(text)
    if not found:
        raise Fault("a param is `name = default (choice, choice): help`, `name = default "
                    "(least..most): help` or `name = (N bytes): help`")
    name, default, values, help_text = found.groups()
    default = default or ""
    if name in RESERVED | BUILT_IN:
        raise Fault(f"every query has a parameter {name} already")
    param = {"name": name, "default": default, "help": help_text, "choices": [], "least": "0",
             "most": "0"}
    bounds = read_range(values)
    is_free = re.fullmatch(r"(\d+) bytes", values)
    if is_free:
        param |= {"type": "text", "most": is_free[1]}
        is_right = default == ""
    elif bounds:
        param["least"], param["most"], is_double = bounds
        param["type"] = "double" if is_double else "int"
        try:
            is_right = float(bounds[0]) <= float(default) <= float(bounds[1])
            is_right = is_right and (is_double or re.fullmatch(r"-?\d+", default))
        except ValueError:
            is_right = False
    else:
        param["type"] = "text"
        param["choices"] = [one.strip() for one in values.split(",")]
        if not all(re.fullmatch(r"[a-z0-9_.-]+", one) for one in param["choices"]):
            raise Fault(f"the choices of {name} are words with commas between, not '{values}'")
        is_right = default in param["choices"]
    if not is_right:
        raise Fault(f"the default of {name}, {default}, is not one of its own values ({values})")
    return param


def read_column(text):
    found = COLUMN.fullmatch(text)
    if not found:
        raise Fault("a column is `name type: help`, or `name type?: help` where it may be null")
    name, kind, may_be_null, help_text = found.groups()
    if kind not in TYPES:
        raise Fault(f"a column is one of {', '.join(TYPES)}, not '{kind}'")
    return {"name": name, "type": kind, "may_be_null": bool(may_be_null), "help": help_text}


def read_also(text):
    """The same query under another name, with `of` narrowed to some of its choices."""
    found = ALSO.fullmatch(text)
    if not found or not NAME.fullmatch(found[1]):
        raise Fault("also is `name = choice, choice (Title): question`")
    name, choices, title, question = found.groups()
    return {"name": name, "title": title, "question": question,
            "choices": [one.strip() for one in choices.split(",")]}


def add_header(query, key, value):
    if key == "param":
        one = read_param(value)
        if any(one["name"] == p["name"] for p in query["params"]):
            raise Fault(f"param {one['name']} is there twice")
        query["params"].append(one)
    elif key == "column":
        one = read_column(value)
        if any(one["name"] == c["name"] for c in query["columns"]):
            raise Fault(f"column {one['name']} is there twice")
        query["columns"].append(one)
    elif key == "also":
        query["also"].append(read_also(value))
    elif key not in ONCE:
        raise Fault(f"there is no header '{key}'; there are {', '.join(sorted(ONCE))}, also, column, "
                    "param")
    elif key in query:
        if key != "about":
            raise Fault(f"header '{key}' is there twice")
        query[key] += " " + value
    else:
        query[key] = value


def finish(query, folder):
    for key in REQUIRED:
        if key not in query:
            raise Fault(f"header '{key}' is missing")
    if "shared" in query:
        add_shared(query, folder)
    if not query["columns"]:
        raise Fault("header 'column' is missing")
    query.setdefault("role", "viewer")
    if query["role"] not in ROLES:
        raise Fault(f"role is one of {', '.join(ROLES)}, not '{query['role']}'")
    if query.setdefault("short", "exclude") not in ("exclude", "include"):
        raise Fault(f"short is include (short plays count here), not '{query['short']}'")
    cache = query.setdefault("cache", "300")
    if not cache.isdigit() or int(cache) > MOST_CACHE_S:
        raise Fault(f"cache is seconds from 0 to {MOST_CACHE_S}, not '{cache}'")
    for name in re.findall(r"\$(\w+)", query["sql"]):
        if name not in BUILT_IN and not any(name == p["name"] for p in query["params"]):
            raise Fault(f"the text uses ${name}, which no param header names")
    for one in query["params"]:
        if not re.search(rf"\${one['name']}\b", query["sql"]):
            raise Fault(f"the text does not use the param ${one['name']}")
    query["behind_kind"], query["behind_sql"], query["behind_why"], query["behind_for"] = read_behind(query["behind"])
    for param in query["params"]:
        if query["behind_for"] and param["name"] == query["behind_for"][0]:
            for one in query["behind_for"][1]:
                if one not in param["choices"]:
                    raise Fault(f"behind: {one} is no choice of {param['name']}")
    if query["behind_sql"] and re.search(r"\b_has_behind\b", query["sql"]):
        query["behind_sql"] = f"case when _has_behind then {query['behind_sql']} end"


BEHIND = {"exact": "BEHIND_EXACT", "among": "BEHIND_AMONG", "none": "BEHIND_NONE"}


def read_behind(text):
    """How well the plays behind a row can be told, their filter as an SQL expression, and why not better."""
    found = re.fullmatch(r"none: (.+)", text)
    if found:
        return "none", "", found[1], None
    found = re.fullmatch(r"among: (\S+): (.+)", text)
    if found:
        return "among", behind_sql(found[1]), found[2], None
    found = re.fullmatch(rf"(\S+) for ({WORD}) = ([^:]+): (.+)", text)
    if found:
        choices = [one.strip() for one in found[3].split(",")]
        listed = ", ".join(f"'{one}'" for one in choices)
        return ("exact", f"case when ${found[2]} in ({listed}) then {behind_sql(found[1])} end",
                f"for {found[2]} = {', '.join(choices)} only: {found[4]}", (found[2], choices))
    return "exact", "''" if text == "all" else behind_sql(text), "", None


def behind_sql(template):
    """The filter of the plays behind a row, as an SQL expression on the query's columns. An empty
    value leaves the filter as it is."""
    parts = []
    for pair in template.split("&"):
        found = re.fullmatch(r"([a-z_]+)=(?:\{(_?[a-z][a-z0-9_]*)\}|([a-z]+))", pair)
        if not found:
            raise Fault("behind is `parameter={column}&parameter=word`, of the very plays that a row counts (with "
                        "` for param = choice, choice: why not for others` where it is so); `all`; "
                        "`among: parameter={column}: why there are others, too`; or `none: why`")
        name, column, word = found.groups()
        parts.append(f"'{name}={word}'" if word else
                     f"case when coalesce({column}::varchar, '?') <> '' then "
                     f"'{name}=' || coalesce(url_encode({column}::varchar), 'unknown') end")
    return f"concat_ws('&', {', '.join(parts)})"


def read_shared(path):
    """Relations that several queries use: headers param and about, then `name as (...), ...`."""
    shared = {"params": [], "columns": [], "also": [], "about": ""}
    lines = path.read_text(encoding="utf-8").splitlines()
    number = read_headers(path, lines, shared, {"param", "about"})
    shared["sql"] = "\n".join(lines[number:]).strip()
    return shared


def read_headers(path, lines, query, keys=None):
    """Reads the header lines; with `keys`, up to the first line that is none of them."""
    number = 0
    try:
        while number < len(lines) and lines[number].startswith("--"):
            number += 1
            found = HEADER.fullmatch(lines[number - 1])
            if keys and (not found or found[1] not in keys):
                return number - 1
            if not found:
                raise Fault("a header line is `-- key: text`")
            add_header(query, *found.groups())
    except Fault as fault:
        raise Fault(f"{path}:{number}: {fault}")
    return number


def add_shared(query, folder):
    """`shared: NAME`, or `shared: NAME param=value` where the param is not for whoever asks."""
    found = re.fullmatch(rf"(\w+)(?: ({WORD})=(\w+))?", query["shared"])
    if not found:
        raise Fault("shared is `name`, or `name param=value`")
    path = folder / "shared" / f"{found[1]}.sql"
    if not path.is_file():
        raise Fault(f"there is no {path}")
    shared = read_shared(path)
    query["params"] = [p for p in shared["params"] if p["name"] != found[2]] + query["params"]
    if found[2]:
        shared["sql"] = re.sub(rf"\${found[2]}\b", f"'{found[3]}'", shared["sql"])
    query["about"] += " " + shared["about"].strip()
    own = re.match(r"with( recursive)?", query["sql"])
    word = own[0] if own else "with"
    rest = query["sql"].removeprefix(word).lstrip()
    query["sql"] = f"{word} {shared['sql']}{',' if own else ''}\n{rest}"


def read_query(path, folder):
    name = path.relative_to(folder).with_suffix("").as_posix()
    if not NAME.fullmatch(name):
        raise Fault(f"{path}:1: the name '{name}' must be lower-case words with - between, in one folder "
                    "at most")
    query = {"name": name, "params": [], "columns": [], "also": []}
    lines = path.read_text(encoding="utf-8").splitlines()
    number = read_headers(path, lines, query)
    query["sql"] = "\n".join(lines[number:]).strip().rstrip(";").rstrip()
    try:
        if not re.match(r"(with|select)\s", query["sql"]):
            raise Fault("after the header comes one `with` or `select`")
        finish(query, folder)
    except Fault as fault:
        raise Fault(f"{path}:1: {fault}")
    return query


def others(query, path):
    """What the `also` lines make of a query."""
    for one in query["also"]:
        params = []
        for param in query["params"]:
            if param["name"] == "of":
                missing = [c for c in one["choices"] if c not in param["choices"]]
                if missing:
                    raise Fault(f"{path}:1: also {one['name']}: {missing[0]} is no choice of `of`")
                param = {**param, "choices": one["choices"], "default": one["choices"][0]}
            params.append(param)
        made = {**query, "name": one["name"], "title": one["title"], "question": one["question"], "params": params}
        if query["behind_for"] and not set(query["behind_for"][1]) & set(one["choices"]):
            made |= {"behind_kind": "none", "behind_sql": "", "behind_why": query["behind_why"].split(": ", 1)[1]}
        yield made


def c_text(text):
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'


def c_lines(text):
    return "\n".join("        " + c_text(line + "\n") for line in text.split("\n"))


def c_table(queries):
    out = ['#include "analytics/catalogue.h"', ""]
    rows = []
    for query in queries:
        own = re.sub("[-/]", "_", query["name"])
        if query["params"]:
            for one in query["params"]:
                if one["choices"]:
                    choices = ", ".join(map(c_text, one["choices"]))
                    out.append(f"static const char *const {own}_{one['name']}_choices[] = "
                               f"{{{choices}, 0}};")
            out.append(f"static const struct query_param {own}_params[] = {{")
            for one in query["params"]:
                choices = f"{own}_{one['name']}_choices" if one["choices"] else "0"
                out.append(f"    {{{c_text(one['name'])}, QUERY_{one['type'].upper()}, "
                           f"{c_text(one['default'])}, {choices}, {one['least']}, {one['most']}, "
                           f"{c_text(one['help'])}}},")
            out.append("};")
        out.append(f"static const struct query_column {own}_columns[] = {{")
        for one in query["columns"]:
            out.append(f"    {{{c_text(one['name'])}, QUERY_{one['type'].upper()}, "
                       f"{'true' if one['may_be_null'] else 'false'}, {c_text(one['help'])}}},")
        out.append("};")
        params = f"{own}_params, {len(query['params'])}" if query["params"] else "0, 0"
        text = [c_text(query[key]) for key in ("name", "title", "question", "row", "about")]
        rows.append(f"    {{{', '.join(text)}, {ROLES[query['role']]}, {query['cache']}, "
                    f"{str(query['short'] == 'include').lower()}, {params}, "
                    f"{own}_columns, {len(query['columns'])},\n        {BEHIND[query['behind_kind']]}, "
                    f"{c_text(query['behind_why'])},\n        {c_text(query['behind_sql'])},\n{c_lines(query['sql'])}}},")
    out += ["", "const struct query query_catalogue[] = {", *rows, "};",
            f"const size_t query_count = {len(queries)};", ""]
    return "\n".join(out)


def values_of(param):
    if param["choices"]:
        return ", ".join(param["choices"])
    if param["type"] == "text":
        return f"text, {param['most']} bytes at most"
    return f"{param['least']} to {param['most']}"


def behind_words(query):
    if query["behind_kind"] == "exact":
        return f"`explain=1` tells the plays behind a row{', ' if query['behind_why'] else ''}{query['behind_why']}."
    if query["behind_kind"] == "among":
        return f"`explain=1` tells plays among which those behind a row are: {query['behind_why']}."
    return f"The plays behind a row cannot be told: {query['behind_why']}."


def docs(queries):
    out = ["# Queries", "",
           "Made from `sql/analytics/` by `tools/build_queries.py`; the words are in",
           "[internals/analytics.md](internals/analytics.md). Each takes the filter of",
           "[internals/api.md](internals/api.md), `explain`, `compare` and `format` besides its own",
           "parameters.", ""]
    for query in queries:
        out += [f"## {query['name']}", "", f"**{query['title']}.** {query['question']}", "",
                f"`GET /api/v1/analytics/{query['name']}`; a row is {query['row']}. For: "
                f"{query['role']}.", "", query["about"], "", behind_words(query), ""]
        if query["params"]:
            out += ["| Parameter | Values | Default | |", "|---|---|---|---|"]
            out += [f"| `{p['name']}` | {values_of(p)} | {p['default']} | {p['help']} |"
                    for p in query["params"]] + [""]
        out += ["| Column | Type | |", "|---|---|---|"]
        out += [f"| `{c['name']}` | {c['type']}{' or null' if c['may_be_null'] else ''} | "
                f"{c['help']} |" for c in query["columns"]] + [""]
    return "\n".join(out)


def ts_name(name):
    return "".join(part.capitalize() for part in re.split("[-_/]", name))


def types(queries):
    out = ["// Made from sql/analytics/ by tools/build_queries.py: rows and parameters of each query.",
           ""]
    for query in queries:
        own = ts_name(query["name"])
        out.append(f"/** {query['title']}: a row is {query['row']}. */")
        out.append(f"export interface {own}Row {{")
        for one in query["columns"]:
            kind = TYPES[one["type"]] + (" | null" if one["may_be_null"] else "")
            out += [f"  /** {one['help']} */", f"  {one['name']}: {kind};"]
        out += ["}", f"export interface {own}Params {{"]
        for one in query["params"]:
            kind = " | ".join(f"'{c}'" for c in one["choices"]) or TYPES[one["type"]]
            out += [f"  /** {one['help']} */", f"  {one['name']}?: {kind};"]
        out += ["}", ""]
    out += ["export interface QueryRows {"]
    out += [f"  '{q['name']}': {ts_name(q['name'])}Row;" for q in queries]
    out += ["}", "export interface QueryParams {"]
    out += [f"  '{q['name']}': {ts_name(q['name'])}Params;" for q in queries]
    out += ["}", "export type QueryName = keyof QueryRows;", ""]
    return "\n".join(out)


def write(path, text):
    path = pathlib.Path(path)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def sources(folder):
    """The folders too, so that a new file is seen; as a depfile names them."""
    folder = pathlib.Path(folder)
    paths = [folder, *sorted(p for p in folder.glob("*") if p.is_dir()), *sorted(folder.rglob("*.sql"))]
    return " ".join(str(p).replace(" ", "\\ ") for p in paths)


def read_queries(folder):
    """Every query of the folder, by name; every fault at once."""
    faults, queries = [], []
    folder = pathlib.Path(folder)
    for path in sorted(folder.rglob("*.sql")):
        if path.is_relative_to(folder / "shared"):
            continue
        try:
            query = read_query(path, folder)
            queries += [query, *others(query, path)]
        except Fault as fault:
            faults.append(str(fault))
    names = [query["name"] for query in queries]
    faults += [f"{folder}: there are two queries named {name}" for name in sorted(set(names))
               if names.count(name) > 1]
    if not faults and not queries:
        faults.append(f"{folder}: there is no query")
    if faults:
        sys.exit("\n".join(faults))
    return sorted(queries, key=lambda query: query["name"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    for option in ("--c", "--depfile", "--docs", "--types", "--check"):
        parser.add_argument(option)
    given = parser.parse_args()
    queries = read_queries(given.folder)
    if given.c:
        write(given.c, c_table(queries))
    if given.depfile:
        pathlib.Path(given.depfile).write_text(f"{given.c}: {sources(given.folder)}\n")
    if given.docs:
        write(given.docs, docs(queries))
    if given.types:
        write(given.types, types(queries))
    if given.check and pathlib.Path(given.check).read_text(encoding="utf-8") != docs(queries):
        sys.exit(f"{given.check}: is not what sql/analytics/ says; run scripts/queries")


if __name__ == "__main__":
    main()
