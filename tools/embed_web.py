#!/usr/bin/env python3
"""Embeds web/dist into the binary: embed_web.py DIST OUT.S OUT.c LICENSES PRIVATE_DIR

Every file goes in as it is and, where that is smaller, gzipped; its ETag is its SHA-256. Outputs
are written only when they change. Without DIST the table is empty and the server says so. LICENSES is
DIST's licenses.txt, to be installed."""
import gzip
import hashlib
import pathlib
import re
import sys

TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8", ".json": "application/json", ".svg": "image/svg+xml",
    ".png": "image/png", ".ico": "image/x-icon", ".webp": "image/webp", ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8", ".map": "application/json", ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json", ".pbf": "application/x-protobuf",
    ".geojson": "application/geo+json", ".md": "text/plain; charset=utf-8",
}
PACKED = {".png", ".webp", ".woff2", ".ico"}


def write_if_changed(path, data):
    if not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def text(s):
    return '"' + s.replace("\\", "\\\\").replace('"', '\\"') + '"'


dist, out_s, out_c, out_licenses, private = map(pathlib.Path, sys.argv[1:6])
assembly = ['.section .note.GNU-stack,"",%progbits', ".section .rodata"]
externs, rows = [], []
files = [p for p in dist.rglob("*") if p.is_file()] if dist.is_dir() else []
files.sort(key=lambda p: p.relative_to(dist).as_posix().encode())
for number, path in enumerate(files):
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    url = "/" + path.relative_to(dist).as_posix()
    sources = {"plain": path.resolve()}
    if path.suffix not in PACKED:
        packed = gzip.compress(data, 9, mtime=0)
        if len(packed) < len(data):
            copy = private / (digest + ".gz")
            write_if_changed(copy, packed)
            sources["gzip"] = copy.resolve()
    for kind, source in sources.items():
        name = f"asset_{kind}_{number}"
        assembly += [f"# {digest}", f".global {name}, {name}_end", ".balign 16", f"{name}:",
                     f".incbin {text(str(source))}", f"{name}_end:", ".byte 0"]
        externs.append(f"extern const char {name}[], {name}_end[];")
    row = [text(url), text(TYPES.get(path.suffix, "application/octet-stream")), text(digest[:32]),
           f"asset_plain_{number}", f"asset_plain_{number}_end"]
    row += [f"asset_gzip_{number}", f"asset_gzip_{number}_end"] if "gzip" in sources else ["0", "0"]
    hashed = url.startswith("/assets/") and re.search(r"-[\w-]{8,}\.\w+$", url)
    rows.append("    {" + ", ".join(row + ["1" if hashed else "0"]) + "},")
source = ['#include "api/assets.h"', *externs, "const struct asset assets[] = {", *rows,
          "    {0, 0, 0, 0, 0, 0, 0, 0},", "};", f"const size_t asset_count = {len(rows)};", ""]
write_if_changed(out_s, ("\n".join(assembly) + "\n").encode())
write_if_changed(out_c, "\n".join(source).encode())
licenses = dist / "licenses.txt"
write_if_changed(out_licenses, licenses.read_bytes() if licenses.exists() else b"The page is not in this build.\n")
