#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Answers each line of a TCP connection with itself: line_echo.py ADDR PORT."""
import socket
import sys

with socket.create_server((sys.argv[1], int(sys.argv[2])), family=socket.AF_INET6
                          if ":" in sys.argv[1] else socket.AF_INET) as s:
    while True:
        c = s.accept()[0]
        with c, c.makefile("rw") as f:
            for line in f:
                f.write(line)
                f.flush()
