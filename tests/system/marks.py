# SPDX-License-Identifier: BSD-3-Clause
"""Which tests ask whether this is the long run (world.FULL), by whatever way:
by a constant made of it, a fixture, a helper's default, an "if" around them.
These, and no others, bear the mark "long" or "release" (conftest.py), by which
./check --full chooses them: one that nobody chose would never be long. It
chooses all with the mark "qemu" besides.

Read from the sources, as a constant does not tell what it was made of.
"""
import ast
import functools
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
ASKED = ("world", "FULL")
VARIABLE = "VMLAN_FULL"  # whoever reads that himself asks as well


def is_fixture(node):
    return isinstance(node, ast.FunctionDef) and any(
        "fixture" in ast.unparse(d) for d in node.decorator_list)


def is_autouse(node):
    return is_fixture(node) and any("autouse=True" in ast.unparse(d) for d in node.decorator_list)


class Module:
    """A file here: what stands at its top, each name with what it is made of."""

    def __init__(self, name):
        self.name = name
        self.made_of = {}  # name: syntax, of itself and of each "if" around it
        self.imported = {}  # name: (module, name there), (module, None) for a module
        self.read(ast.parse((HERE / f"{name}.py").read_text()).body, [])
        every = [n for nodes in self.made_of.values() for n in nodes]
        self.autouse = [n.name for n in every if is_autouse(n)]
        self.fixtures = {n.name for n in every if is_fixture(n)}

    def put(self, name, nodes):
        self.made_of.setdefault(name, []).extend(nodes)

    def read(self, body, around):
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                self.put(node.name, [node, *around])
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                self.take_import(node)
            elif isinstance(node, ast.If):
                self.read(node.body + node.orelse, [*around, node.test])
            elif isinstance(node, (ast.For, ast.With, ast.Try)):
                heads = [getattr(node, "iter", None), *getattr(node, "items", [])]
                inner = [*around, *(h for h in heads if h)]
                for part in ("body", "orelse", "finalbody"):
                    self.read(getattr(node, part, []), inner)
                for handler in getattr(node, "handlers", []):
                    self.read(handler.body, inner)
            else:  # what it stores into, and what of
                for n in ast.walk(node):
                    if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load):
                        self.put(n.id, [node, *around])

    def take_import(self, node):
        of = getattr(node, "module", None)
        for a in node.names:
            there = (of, a.name) if of else (a.name, None)
            if (HERE / f"{there[0]}.py").exists():
                self.imported[a.asname or a.name] = there

    def at(self, name):
        """Where that name, as this module says it, is made: a list."""
        if name in self.made_of:
            return [(self.name, name)]
        there = self.imported.get(name)
        if there:
            return [there] if there[1] else []
        return [("conftest", name)] if name in module("conftest").fixtures else []

    def asked_by(self, name):
        """What the definitions of a name of this module mention."""
        for node in self.made_of.get(name, []):
            for n in ast.walk(node):
                if isinstance(n, ast.Name):
                    yield from self.at(n.id)
                elif isinstance(n, ast.arg):  # a fixture, perhaps
                    yield from (p for p in self.at(n.arg) if p[1] in module(p[0]).fixtures)
                elif isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name):
                    there = self.imported.get(n.value.id)
                    if there and there[1] is None:
                        yield (there[0], n.attr)
                elif isinstance(n, ast.Constant) and n.value == VARIABLE:
                    yield ASKED
                elif isinstance(n, ast.Constant) and n.value in self.fixtures:
                    yield (self.name, n.value)
        if name.lower().startswith("test"):
            yield from ((self.name, f) for f in self.autouse)


@functools.cache
def module(name):
    return Module(name)


@functools.cache
def way(of, name):
    """By which names, from this one on, a test asks: a tuple, empty if not."""
    seen, paths = set(), [((of, name),)]
    while paths:
        path = paths.pop(0)
        for at in module(path[-1][0]).asked_by(path[-1][1]):
            if at == ASKED:
                return (*path, at)
            if at not in seen:
                seen.add(at)
                paths.append((*path, at))
    return ()


def faults(items):
    """A line for each test that bears a wrong mark, or none."""
    for item in items:
        top = item.cls.__name__ if item.cls else item.function.__name__
        asked = way(item.module.__name__, top)
        marked = any(item.get_closest_marker(m) for m in ("long", "release"))
        if asked and not marked and not item.get_closest_marker("qemu"):
            yield (f"{item.nodeid} lacks the mark 'long', or 'release': it asks "
                   + " -> ".join(".".join(p) for p in asked))
        if marked and not asked:
            yield f"{item.nodeid} is no other in the long run: it needs no mark for that"
