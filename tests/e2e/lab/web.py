# SPDX-License-Identifier: BSD-3-Clause
"""The outside's web server, a program of its own: web.py PORT DIRECTORY.

GET /NAME      the file NAME of the directory
GET /who       the address and port the request came from, as the server sees them
GET /wait/S    headers at once, the body after S seconds in which nothing is sent
PUT /ANY       takes the body and answers with its SHA-256 and length
"""

import hashlib
import http.server
import os
import socketserver
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    """One request; connections stay open, as HTTP/1.1 has it."""

    protocol_version = "HTTP/1.1"
    directory = "."

    def log_message(self, *_):
        """Keeps quiet: the tests ask clients, not the server."""

    def reply(self, text):
        """A small text as the whole answer."""
        body = (text + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        """Files, and the two questions above."""
        if self.path == "/who":
            self.reply(f"{self.client_address[0]} {self.client_address[1]}")
        elif self.path.startswith("/wait/"):
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.flush()
            time.sleep(float(self.path[6:]))
            self.wfile.write(b"done\n")
        else:
            self.send_file(os.path.basename(self.path))

    def send_file(self, name):
        """The file, by sendfile, so that the server is not what a test measures."""
        try:
            file = open(os.path.join(self.directory, name), "rb")
        except OSError:
            self.send_error(404)
            return
        with file:
            size = os.fstat(file.fileno()).st_size
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self.wfile.flush()
            sent = 0
            while sent < size:
                sent += os.sendfile(self.connection.fileno(), file.fileno(), sent, 1 << 20)

    def do_PUT(self):
        """An upload."""
        left = int(self.headers["Content-Length"])
        total, digest = left, hashlib.sha256()
        while left:
            piece = self.rfile.read(min(left, 1 << 18))
            if not piece:
                return
            digest.update(piece)
            left -= len(piece)
        self.reply(f"{digest.hexdigest()} {total}")


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A thread a connection, and room for all of a burst of them to wait."""

    daemon_threads = True
    request_queue_size = 512

    def server_bind(self):
        """Without the base class's question to DNS for our own name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "outside", self.server_address[1]

    def handle_error(self, *_):
        """A client that goes away is its own affair."""


def main():
    """Serves until killed; says so once it listens."""
    Handler.directory = sys.argv[2]
    server = Server(("0.0.0.0", int(sys.argv[1])), Handler)
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
