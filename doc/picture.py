#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs ./quickstart and puts what it shows into the README."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "README.md"

run = subprocess.run(["./quickstart"], cwd=ROOT, check=True, text=True,
                     stdout=subprocess.PIPE)
shown = run.stdout[run.stdout.index("$ vmlan"):].rstrip()
text, n = re.subn(r"(<!-- made by [^\n]*-->\n```\n).*?(```\n<!-- end -->)",
                  lambda m: m.group(1) + shown + "\n" + m.group(2),
                  README.read_text(), flags=re.S)
assert n == 1, "the README has no place for the picture"
README.write_text(text)
