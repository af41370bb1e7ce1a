#!/usr/bin/env python3
"""Checks the architecture's layers: a folder of src/ includes only itself and lower ones, and each
third-party header has one home."""
import pathlib
import re
import sys

LAYERS = {
    0: {"base"},
    1: {"config", "model", "net"},
    2: {"log", "store", "auth", "places", "servers"},
    3: {"sources", "ingest", "import", "backup", "live", "analytics", "sql"},
    4: {"api"},
    5: {"app", "cli"},
}
# Within a layer folders do not know each other, but for these.
ALLOWED = {("config", "model"), ("import", "ingest"), ("cli", "app")}
HOMES = {
    "duckdb.h": {"store", "ingest", "import", "analytics", "api", "sql"},
    "sqlite3.h": {"store", "log", "import", "auth", "servers"},
    "microhttpd.h": {"net"},
    "curl/curl.h": {"net"},
    "wslay/wslay.h": {"net"},
    "maxminddb.h": {"places"},
    "yaml.h": {"config"},
    "archive.h": {"import", "backup"},
    "nats/nats.h": {"log"},
    "seccomp.h": {"sql"},
}
level = {folder: n for n, folders in LAYERS.items() for folder in folders}
faults = []
for path in sorted(pathlib.Path("src").rglob("*.[ch]")):
    folder = path.parts[1]
    if folder not in level:
        faults.append(f"{path}: src/{folder} has no layer")
        continue
    for number, line in enumerate(path.read_text().splitlines(), 1):
        own = re.match(r'#include "(\w+)/', line)
        if own and own[1] in level and own[1] != folder:
            up = level[own[1]] > level[folder]
            beside = level[own[1]] == level[folder] and (folder, own[1]) not in ALLOWED
            if up or beside:
                faults.append(f"{path}:{number}: {folder} may not include {own[1]}")
        foreign = re.match(r"#include <([\w/]+\.h)>", line)
        if foreign and foreign[1] in HOMES and folder not in HOMES[foreign[1]]:
            faults.append(f"{path}:{number}: <{foreign[1]}> belongs to {sorted(HOMES[foreign[1]])}")
print("\n".join(faults) or "layers: clean")
sys.exit(1 if faults else 0)
