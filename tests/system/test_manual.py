# SPDX-License-Identifier: BSD-3-Clause
"""Each command's page says what its --help says, and can be found."""
import os
import pathlib
import re
import subprocess

import pytest

import world
from world import VMLAN, sh

MAN = world.HERE.parent.parent / "man"
BUILT = pathlib.Path(VMLAN).parents[1] / "man"


def commands():
    out = sh(VMLAN, "--help").stdout
    return [l.split()[0] for l in out.splitlines() if re.match(r"  \w", l)]


COMMANDS = commands() if pathlib.Path(VMLAN).exists() else []


def source(name):
    for end in ("scd", "scd.in"):
        path = MAN / f"{name}.1.{end}"
        if path.exists():
            return path.read_text()
    raise AssertionError(f"man/{name}.1.scd: {name.replace('-', ' ', 1)} has no page")


def section(text, name):
    m = re.search(rf"^# {name}\n(.*?)(?=^# |\Z)", text, re.M | re.S)
    assert m, f"no {name}"
    return m[1]


def options(text):
    """Options, as words that begin with one dash or two."""
    return set(re.findall(r"(?<![\w./~=-])--?[a-zA-Z][a-z-]*", text)) - {"-h", "--help"}


def of_help(command):
    """What --help offers: in its usage, and where a line begins with it."""
    out = sh(VMLAN, command, "--help").stdout
    usage = re.match(r"usage: .*\n(?: {7,}.*\n)*", out)[0]
    found = options(usage.replace("--", " --").replace("[", " ").replace("|", " "))
    for line in out[len(usage):].splitlines():
        while m := re.match(r"  (--?[a-zA-Z][a-z-]*)(?:, (?=-))?", line):
            found.add(m[1])
            line = "  " + line[m.end():]
    return found - {"--help"}


def of_page(command):
    """What its page has: in its synopsis, and at the head of its paragraphs."""
    page = source("vmlan-" + command)
    plain = lambda text: re.sub(r"[*_\[\]|]", " ", text)
    found = options(plain(section(page, "SYNOPSIS")))
    for line in re.findall(r"^(\*-.*)\n\t", page, re.M):
        found |= options(plain(re.sub(r"=.*?(?=, \*-|$)", "", line)))
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_page_and_help_agree(command):
    page = source("vmlan-" + command)
    assert page.startswith(f"vmlan-{command}(1)\n\n# NAME\n\nvmlan-{command} - ")
    assert f"*vmlan {command}" in section(page, "SYNOPSIS")
    assert section(page, "EXAMPLES").strip() and "*vmlan*(1)" in section(page, "SEE ALSO")
    assert of_page(command) == of_help(command)


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_are_of_commands_that_there_are(command):
    """Each word of vmlan's in them is a command, each option one that it has."""
    text = section(source("vmlan-" + command), "EXAMPLES").replace("\\\n", " ")
    lines = re.findall(r"(?:^\t?|[$#|\"]\s*|sudo )vmlan (\w+)([^\n|\"]*)", text, re.M)
    assert lines
    for word, rest in lines:
        assert word in COMMANDS, word
        own = re.split(r" -- ", rest)[0] if word in ("run", "exec") else rest
        if word in ("exec", "ssh"):
            own = re.match(r"(?: (?:--\w+ )?\S+)?", own)[0]
        assert options(own) <= of_help(word), (word, rest)


def test_all_are_in_the_first_page():
    page = source("vmlan")
    for command in COMMANDS:
        assert f"*vmlan-{command}*(1)" in section(page, "COMMANDS"), command
        assert f"*vmlan-{command}*(1)" in section(page, "SEE ALSO"), command


def test_pages_are_built_and_read_well():
    pages = [p for p in BUILT.iterdir() if re.search(r"\.[17]$", p.name)]
    names = {p.name for p in pages}
    assert {f"vmlan-{c}.1" for c in COMMANDS} | {"vmlan.1"} <= names
    for p in pages:
        r = sh("man", "--warnings", "-l", str(p), env=dict(os.environ, MANWIDTH="80"))
        if p.name.endswith(".1"):  # the tables of the others are wide
            assert r.stderr == "", p.name
        for name, number in re.findall(r"\b(vmlan-\w+)\((\d)\)", r.stdout):
            assert f"{name}.{number}" in names, (p.name, name)


def run(*args, **env):
    return subprocess.run([VMLAN, *args], capture_output=True, text=True, timeout=30,
                          env=dict(os.environ, **env))


def test_help_shows_the_page(tmp_path):
    (tmp_path / "man1").mkdir()
    (tmp_path / "man1" / "vmlan-cap.1").write_bytes((BUILT / "vmlan-cap.1").read_bytes())
    r = run("help", "cap", MANPATH=str(tmp_path), MANPAGER="cat")
    assert r.returncode == 0 and "SYNOPSIS" in r.stdout and r.stderr == ""
    # where there is no page: what --help says
    r = run("help", "cap", MANPATH="/nonexistent")
    assert (r.returncode, r.stdout, r.stderr) == (0, run("cap", "--help").stdout, "")
    assert run("help").stdout == run("--help").stdout
    for words in (("help", "nosuch"), ("help", "connect"), ("help", "a", "b")):
        r = run(*words)
        assert r.returncode == 2 and r.stderr.count("\n") == 1
