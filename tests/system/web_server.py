# SPDX-License-Identifier: BSD-3-Clause
"""A page on port 80, for the tests and the quickstart: web_server.py TEXT.
/big is 32 MiB of noise, always the same."""
import http.server
import random
import sys

TEXT = ("".join(sys.argv[1:2]) + "\n").encode()
BIG_LEN = 32 << 20


def big():
    return random.Random(1).randbytes(BIG_LEN)


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = big() if self.path == "/big" else TEXT
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("0.0.0.0", 80), Page).serve_forever()
