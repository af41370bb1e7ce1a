#!/usr/bin/env python3
"""Turns numbered SQL files into a C table: embed_sql.py OUTPUT FILE ...

A migration is NNN_name.sql; numbers run from 1 without gaps.
"""
import pathlib
import sys

output, files = sys.argv[1], sorted(map(pathlib.Path, sys.argv[2:]))
rows = []
for number, path in enumerate(files, 1):
    head, _, name = path.stem.partition("_")
    if not head.isdigit() or int(head) != number or not name:
        sys.exit(f"{path}: expected a name like {number:03}_what.sql")
    lines = []
    for line in path.read_text().splitlines():
        escaped = line.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'     "{escaped}\\n"')
    rows.append(f'    {{{number}, "{name}",\n' + "\n".join(lines) + "},\n")
pathlib.Path(output).write_text(
    '#include "store/migrations.h"\n\nconst struct migration migrations[] = {\n' + "".join(rows)
    + "};\nconst unsigned migration_count = sizeof migrations / sizeof migrations[0];\n")
