# SPDX-License-Identifier: BSD-3-Clause
"""A page on port 80, for the tests and the quickstart: web_server.py TEXT."""
import http.server
import sys

TEXT = (sys.argv[1] + "\n").encode()


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(TEXT)))
        self.end_headers()
        self.wfile.write(TEXT)

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("0.0.0.0", 80), Page).serve_forever()
