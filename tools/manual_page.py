#!/usr/bin/env python3
"""The manual page, in troff, of what the program says of itself: manual_page.py PROGRAM > cartographus.1"""
import re
import subprocess
import sys


def told(*words):
    return subprocess.run([sys.argv[1], *words], check=True, capture_output=True, text=True).stdout


def plain(text):
    """As it stands: no line is a request, no hyphen is broken."""
    lines = text.rstrip().replace("\\", "\\e").replace("-", "\\-").splitlines()
    return ".nf\n" + "\n".join("\\&" + line for line in lines) + "\n.fi"


whole = told("--help")
usage, rest = whole.split("\n\n", 1)
subcommands = re.findall(r"^  ([\w-]+) ", rest.split("\n\n")[0], re.M)
assert "serve" in subcommands
print(f""".TH CARTOGRAPHUS 1 "" "{told("--version").split()[-1]}" ""
.SH NAME
cartographus \\- who watches what on Plex, Jellyfin and Emby servers
.SH SYNOPSIS
{plain(usage.removeprefix("usage: "))}
.SH DESCRIPTION
{plain(rest)}""")
for name in subcommands:
    print(f".SH cartographus {name}\n{plain(told(name, '--help'))}")
