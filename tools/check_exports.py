#!/usr/bin/env python3
"""Finds functions that are exported for nobody: check_exports.py BUILD_DIR

An exported symbol of src/ that no other object of the program (or of the simulator and the benches)
uses is dead, should be static, or is there only for a test; each must have a reason in KEPT."""
import pathlib
import subprocess
import sys

# Why it stays, though only tests use it.
KEPT = {
    "cache_bytes": "how full it is", "cache_count": "how full it is", "live_count": "how many there are",
    "ingest_get_stats": "how far it is", "ingest_wait": "until it is there",
    "jw_key_str": "keys that are no C strings, as the fuzz target has them",
    "logger_redact": "what a line would show", "status_text": "what a test says went wrong",
    "mediabrowser_sessions": "a payload without a server around it",
    "append_null": "rows of made-up worlds", "days_from_civil": "dates of made-up worlds",
}
build = pathlib.Path(sys.argv[1])


def symbols(path):
    for line in subprocess.run(["nm", path], check=True, capture_output=True,
                               text=True).stdout.splitlines():
        *_, kind, name = line.split()
        yield kind, name


defined, users = {}, {}
for path in build.rglob("*.o"):
    place = path.relative_to(build).as_posix()
    is_test = place.startswith("tests/")
    for kind, name in symbols(path):
        if kind in "TDBR" and place.startswith("src/") and name != "main":
            defined[name] = place
        elif kind == "U":
            users.setdefault(name, set()).add("tests" if is_test else "program")
faults = []
for name, place in sorted(defined.items(), key=lambda item: (item[1], item[0])):
    use = users.get(name, set())
    if "program" not in use and name not in KEPT:
        faults.append(f"{place}: {name}: only tests use it" if use else f"{place}: {name}: nobody else uses it")
print("\n".join(faults) or "exports: clean")
sys.exit(1 if faults else 0)
