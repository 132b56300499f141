# SPDX-License-Identifier: BSD-3-Clause
"""A program in a namespace that does, one after another, what it is told on
its standard input (see Agent in test_edges.py): each line is the text of a
string of Python, each answer a line with a pair: "ok" and the value, or "os"
and the number of the error."""
import ast
import sys

space = {}
exec("import contextlib, errno, select, socket, threading, time, zlib\nfrom socket import *",
     space)


def do(code):
    try:
        try:
            return "ok", eval(code, space)
        except SyntaxError:
            exec(code, space)
            return "ok", None
    except TimeoutError:
        return "late", None
    except OSError as e:
        return "os", e.errno


for line in sys.stdin:
    print(repr(do(ast.literal_eval(line))), flush=True)
