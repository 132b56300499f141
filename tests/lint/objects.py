#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""House rules that need a build: tests/lint/objects.py BUILD.

 - each header compiles alone, with what its room may see;
 - no file of the product has state that outlives a call (.data, .bss).

BUILD is a release build without sanitizers.  Prints one line for each broken
rule and place, and last "N passed, N failed": one for each header and object.
"""
import concurrent.futures
import json
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(sys.argv[1]).resolve()
COMMANDS = json.loads((BUILD / "compile_commands.json").read_text())
# The product: a room's library, and main().  Fakes belong to the tests.
PRODUCT = re.compile(r"src/(libvmlan_\w+\.a|vmlan)\.p/")


def relative(command):
    path = (pathlib.Path(command["directory"]) / command["file"]).resolve()
    try:
        return str(path.relative_to(ROOT))
    except ValueError:
        return ""


def room_flags():
    """The compiler with the flags of any source of each room."""
    flags = {}
    for c in COMMANDS:
        path = relative(c)
        if not path.startswith("src/") or path.count("/") != 2:
            continue
        words = shlex.split(c["command"])
        keep = [w for w in words[1:]
                if w.startswith(("-I", "-D", "-std", "-W", "-isystem"))]
        # A test sees what its room's fakes may see besides.
        room = path.split("/")[1]
        if room not in flags or len(keep) > len(flags[room]):
            flags[room] = keep
    return flags


def check_header(path, flags):
    r = subprocess.run(
        ["cc", "-fsyntax-only", "-Werror", *flags, "-Wno-unused", "-x", "c", str(path)],
        cwd=BUILD, capture_output=True, text=True, check=False, timeout=60)
    return "" if r.returncode == 0 else r.stderr.strip()


def check_state(command):
    path = pathlib.Path(command["directory"]) / command["output"]
    out = subprocess.run(["nm", "-f", "sysv", str(path)], capture_output=True,
                         text=True, check=True, timeout=60).stdout
    bad = []
    for line in out.splitlines():
        f = [w.strip() for w in line.split("|")]
        if len(f) == 7 and (f[6] in (".data", ".bss", "*COM*") or
                            f[6].startswith((".data.", ".bss.", ".tdata", ".tbss"))
                            and not f[6].startswith(".data.rel.ro")):
            bad.append(f"{f[0]} in {f[6]}")
    return ", ".join(bad)


def main():
    flags = room_flags()
    jobs = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for h in sorted((ROOT / "src").glob("*/*.h")):
            room = h.parent.name
            jobs.append((f"src/{room}/{h.name}", "does not compile alone",
                         pool.submit(check_header, h, flags[room])))
        for c in COMMANDS:
            path = relative(c)
            if path.startswith("src/") and PRODUCT.match(c["output"]):
                jobs.append((path, "keeps state", pool.submit(check_state, c)))
    failed = 0
    for path, what, job in jobs:
        if job.result():
            failed += 1
            print(f"{path}: {what}: {job.result()}")
    print(f"{len(jobs) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
