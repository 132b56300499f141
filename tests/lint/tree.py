#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The house rules that a program can check, over the files git knows.

Prints one line for each broken rule and place, and last "N passed, N
failed" in rules.  Run by ./check; needs no build.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FUNCTION_MAX = 100
FILE_MAX = 800
COLUMNS = 80
# What has no room for a comment, or whose text is not ours to head.
NO_SPDX = re.compile(r"^(LICENSE|\.gitignore|\.clang-format|.*\.md|.*\.svg|"
                     r"tests/corpus/.*|.*\.(tsv|txt|json)|man/.*\.scd(\.in)?)$")


def tracked():
    out = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], check=True,
                         capture_output=True).stdout
    return [p for p in out.decode().split("\0") if p and (ROOT / p).is_file()]


FILES = tracked()
TEXT = {p: (ROOT / p).read_text(errors="replace") for p in FILES
        if not p.startswith("tests/corpus/")}
C_FILES = [p for p in TEXT if p.endswith((".c", ".h"))]
ROOM_FILES = [p for p in C_FILES if p.startswith("src/")]


def spdx():
    """Every file says its licence in its first three lines."""
    for p, text in TEXT.items():
        head = "\n".join(text.split("\n")[:3])
        if not NO_SPDX.match(p) and "SPDX-License-Identifier: BSD-3-Clause" not in head:
            yield p, 1, "no SPDX line"


def columns():
    """C lines end by column 80, tabs counted as 8."""
    for p in ROOM_FILES:
        for n, line in enumerate(TEXT[p].split("\n"), 1):
            if len(line.expandtabs(8)) > COLUMNS and "://" not in line:
                yield p, n, f"{len(line.expandtabs(8))} columns"


def file_length():
    """No source file is longer than 800 lines."""
    for p in TEXT:
        if p.endswith((".c", ".h", ".py")) and TEXT[p].count("\n") > FILE_MAX:
            yield p, FILE_MAX, f"{TEXT[p].count(chr(10))} lines"


def function_length():
    """No function is longer than 100 lines."""
    for p in C_FILES:
        start = None
        for n, line in enumerate(TEXT[p].split("\n"), 1):
            if line == "{":
                start = n
            elif line.startswith("}") and start:
                if n - start + 1 > FUNCTION_MAX:
                    yield p, start, f"function of {n - start + 1} lines"
                start = None


def includes():
    """Includes are "room/file.h" or <system.h>, and never climb."""
    rooms = {p.split("/")[1] for p in ROOM_FILES if p.count("/") >= 2}
    for p in ROOM_FILES:
        for n, line in enumerate(TEXT[p].split("\n"), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]*)"', line)
            if not m:
                continue
            room = m.group(1).split("/")[0]
            generated = m.group(1).endswith("_list.h")
            if m.group(1).startswith("..") or (room not in rooms and not generated):
                yield p, n, f'include "{m.group(1)}" names no room'


def unfinished():
    """Nothing says that it is unfinished."""
    word = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
    for p in C_FILES + [p for p in TEXT if p.endswith((".py", ".build"))]:
        for n, line in enumerate(TEXT[p].split("\n"), 1):
            if word.search(line):
                yield p, n, line.strip()


def comments():
    """C comments are /* */."""
    for p in C_FILES:
        for n, line in enumerate(TEXT[p].split("\n"), 1):
            if re.match(r"\s*//", line):
                yield p, n, "a // comment"


def whitespace():
    """No blanks at line ends; C is indented by tabs; files end in a newline."""
    for p in TEXT:
        if not p.endswith((".c", ".h", ".py", ".build", ".sh", ".md")):
            continue
        if TEXT[p] and not TEXT[p].endswith("\n"):
            yield p, TEXT[p].count("\n"), "no newline at the end"
        for n, line in enumerate(TEXT[p].split("\n"), 1):
            if line != line.rstrip():
                yield p, n, "blanks at the end of the line"
            if p in C_FILES and line.startswith("        "):
                yield p, n, "indented by blanks"


def guards():
    """A header's guard is its path."""
    for p in ROOM_FILES:
        if not p.endswith(".h"):
            continue
        guard = re.sub(r"[/.]", "_", p[len("src/"):]).upper()
        if f"#ifndef {guard}\n#define {guard}\n" not in TEXT[p]:
            yield p, 1, f"guard is not {guard}"


def head_comments():
    """Every C file begins by saying what it is."""
    for p in ROOM_FILES:
        if not re.match(r"/\* SPDX[^\n]*\*/\n/\*", TEXT[p]):
            yield p, 2, "no comment at the head"


def unbounded():
    """Nothing writes or allocates without a bound."""
    for p in ROOM_FILES:
        for n, line in enumerate(TEXT[p].split("\n"), 1):
            if re.search(r"\b(alloca|vsprintf|gets)\s*\(", line):
                yield p, n, "unbounded: " + line.strip()


def tests_exist():
    """Every corpus belongs to a fuzz target, every target has a corpus."""
    targets = {pathlib.Path(p).name[:-len("_fuzz.c")] for p in ROOM_FILES
               if p.endswith("_fuzz.c")}
    corpora = {p.split("/")[2] for p in FILES if p.startswith("tests/corpus/")}
    for name in sorted(targets ^ corpora):
        yield f"tests/corpus/{name}", 1, "target or corpus is missing"


RULES = [spdx, columns, file_length, function_length, includes, unfinished,
         comments, whitespace, guards, head_comments, unbounded, tests_exist]

failed = 0
for rule in RULES:
    found = list(rule())
    for path, line, what in found:
        print(f"{path}:{line}: {rule.__name__}: {what}")
    failed += bool(found)
print(f"{len(RULES) - failed} passed, {failed} failed")
sys.exit(1 if failed else 0)
