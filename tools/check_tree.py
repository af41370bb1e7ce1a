#!/usr/bin/env python3
"""Checks the tree as it is committed: check_tree.py BUILD_DIR

No secret, no path of somebody's machine, no note of work undone; C as style.md says; every C file
compiled, every migration embedded, every message used, every derived file as its source makes it,
every package that is installed or pinned named in docs/dependencies.md."""
import json
import pathlib
import re
import subprocess
import sys

build = pathlib.Path(sys.argv[1])
faults = []
files = [pathlib.Path(f) for f in subprocess.run(
    ["git", "ls-files"], check=True, capture_output=True, text=True).stdout.splitlines()]
texts = {}
for path in files:
    if path.suffix in {".png", ".woff2", ".zip", ".db"} or "corpus" in path.parts or not path.exists():
        continue
    try:
        texts[path] = path.read_text()
    except UnicodeDecodeError:
        faults.append(f"{path}: not UTF-8")


def fault(path, number, what):
    faults.append(f"{path}:{number}: {what}")


# --- what must not be there -------------------------------------------------------------------
FORBIDDEN = [
    (r"-----BEGIN [A-Z ]*PRIVATE KEY", "a private key"),
    (r"\beyJ[\w-]{20,}\.[\w-]{20,}\.[\w-]{10,}", "a signed token"),
    (r"\b(ghp|gho|glpat|xox[bp])[_-]\w{16,}", "somebody's token"),
    (r"(?<![\w./$~-])/(work|home/\w+|Users/\w+)/", "a path of somebody's machine"),
    (r"(//|/\*|#|--|<!--).*\b(TODO|FIXME|XXX)\b", "a note of work undone"),
]
for path, text in texts.items():
    if path.name == "package-lock.json" or path == pathlib.Path("tools/check_tree.py"):
        continue
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, what in FORBIDDEN:
            if re.search(pattern, line):
                fault(path, number, what)
for path in files:
    if path.exists() and path.stat().st_size > 1_500_000:
        fault(path, 1, "larger than 1.5 MB")

# --- C ------------------------------------------------------------------------------------------
for path, text in texts.items():
    if path.suffix not in {".c", ".h"} or "corpus" in path.parts:
        continue
    for number, line in enumerate(text.splitlines(), 1):
        if "\t" in line:
            fault(path, number, "a tab")
        if line != line.rstrip():
            fault(path, number, "blanks at the end")
        if len(line) > 110 and path.parts[0] in {"src", "sim"}:
            fault(path, number, f"{len(line)} columns; lines are wrapped at 100")
    if path.parts[0] == "src" and path.suffix == ".h" and not text.lstrip().startswith("/*"):
        if path.name != "version.h.in":
            fault(path, 1, "a header says first what it is for")
    if path.suffix == ".c" and path.parts[0] == "src" and '#include "base/banned.h"' not in text:
        fault(path, 1, "does not include base/banned.h")

# --- whole: nothing that nobody builds ----------------------------------------------------------
compiled = {(build / entry["file"]).resolve()
            for entry in json.loads((build / "compile_commands.json").read_text())}
for path in texts:
    if path.suffix == ".c" and path.parts[0] in {"src", "sim", "bench", "tests"}:
        if "fuzz" not in path.parts and path.resolve() not in compiled:
            fault(path, 1, "nothing compiles it")
store = texts[pathlib.Path("src/store/meson.build")]
for path in files:
    if path.match("sql/migrations/*.sql") and path.name not in store:
        fault(path, 1, "src/store/meson.build does not embed it")
targets = texts[pathlib.Path("tests/fuzz/meson.build")]
for path in files:
    if path.match("tests/fuzz/fuzz_*.c") and path.name not in targets:
        fault(path, 1, "tests/fuzz/meson.build does not build it")

# --- messages of the page -----------------------------------------------------------------------
page = {path: text for path, text in texts.items() if path.match("web/src/**/*") or
        path.parts[:2] == ("web", "src")}
uses = "\n".join(text for path, text in page.items() if "messages" not in path.parts)
# Keys put together: `type.${x}`, named('type', x).
stems = set(re.findall(r"`([\w.]+[._])\$\{", uses)) | {
    stem + "." for stem in re.findall(r"\bnamed\('(\w+)'", uses)}
for path, text in page.items():
    if "messages" not in path.parts:
        continue
    for number, line in enumerate(text.splitlines(), 1):
        key = re.match(r"\s*'([\w.-]+)':", line)
        if key and f"'{key[1]}'" not in uses and not any(key[1].startswith(s) for s in stems):
            fault(path, number, f"the message '{key[1]}' is used nowhere")

# --- addresses of the page: below BASE_PATH, by below(), url() and addressOf() ---------------------
for path, text in page.items():
    for number, line in enumerate(text.splitlines(), 1):
        is_address = re.search(r"\b(href|src)=|\b(go|fetch)\(|\blocation\.", line)
        for found in re.finditer(r"""(\w+\(|, |= )?['"`]/[a-z]""", line):
            is_api = line[found.start():].lstrip("(,= ").startswith(("'/api/", '"/api/', "`/api/"))
            if (is_address and found[1] not in {"below(", "url(", ", "}) or (is_api and found[1] != "below("):
                fault(path, number, "an address that does not begin with the base: web/src/lib/base.ts")

# --- dependencies -------------------------------------------------------------------------------
named = texts[pathlib.Path("docs/dependencies.md")]
packages = subprocess.run(["scripts/setup", "names"], check=True, capture_output=True,
                          text=True).stdout.split()
for path in files:
    if path.name == "package.json":
        manifest = json.loads(texts[path])
        packages += [name for kind in ("dependencies", "devDependencies", "optionalDependencies")
                     for name in manifest.get(kind, {})]
        for kind in ("dependencies", "devDependencies", "optionalDependencies"):
            for name, version in manifest.get(kind, {}).items():
                if not re.fullmatch(r"\d[\w.-]*", version):
                    fault(path, 1, f"{name} is not pinned: {version}")
    if path.name == "package-lock.json":
        for name, entry in json.loads(texts[path])["packages"].items():
            if name and not entry.get("integrity") and not entry.get("link"):
                fault(path, 1, f"{name} has no integrity hash")
for package in sorted(set(packages)):
    if f"`{package}`" not in named:
        fault("docs/dependencies.md", 1, f"`{package}` is not named")

print("\n".join(faults) or "tree: clean")
sys.exit(1 if faults else 0)
