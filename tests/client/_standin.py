# SPDX-License-Identifier: MIT
"""What the client's tests share: the program, a server in the appliance's place that says what a test
wants said, and "ok NAME" lines."""
import contextlib
import http.server
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
PROGRAM = TOP / "build/asan/firstlight"
RUN_S = 120  # a hang is a failure
TOKEN = "correct-horse-battery"
DONE, REFUSED, USAGE, UNREACHABLE, NEEDS_TOKEN = range(5)


class Checks:
    def __init__(self, name):
        self.name, self.done, self.failed = name, 0, 0

    def ok(self, name, condition, reason=""):
        self.done += 1
        self.failed += not condition
        text = "" if condition else ": " + (" ".join(str(reason).split()) or "it is not so")
        print(f"{'' if condition else 'not '}ok {self.name}.{name}{text}", flush=True)

    def equal(self, name, seen, expected):
        self.ok(name, seen == expected, f"seen {seen!r}, expected {expected!r}")

    def ended(self, name, run, status, *words):
        """It ended with this status and said these words, on either stream; never is the token among
        them, nor a sanitizer's report."""
        text = run.stdout + run.stderr
        missing = [w for w in words if w not in text]
        good = run.returncode == status and not missing and TOKEN not in text and "Sanitizer" not in text
        self.ok(name, good, f"status {run.returncode}, expected {status}; without {missing}: {text[-1500:]}")


def run(*args, url=None, token=None, env=None, cwd=None, text=True, stdin=subprocess.DEVNULL):
    """Runs firstlight. Nothing of the caller's environment that it reads gets in."""
    full = {k: v for k, v in os.environ.items() if not k.startswith("FIRSTLIGHT_")}
    full |= {"FIRSTLIGHT_HOST": url} if url else {}
    full |= {"FIRSTLIGHT_TOKEN": token} if token else {}
    return subprocess.run([PROGRAM, *args], env=full | (env or {}), cwd=cwd, stdin=stdin, timeout=RUN_S,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=text, check=False,
                          **({"errors": "replace"} if text else {}))


class Running:
    """firstlight at work: what it says is read line by line; Ctrl-C ends it."""

    def __init__(self, *args, url, token=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith("FIRSTLIGHT_")}
        env |= {"FIRSTLIGHT_HOST": url} | ({"FIRSTLIGHT_TOKEN": token} if token else {})
        self.child = subprocess.Popen([PROGRAM, *args], env=env, stdin=subprocess.DEVNULL, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.timer = threading.Timer(RUN_S, self.child.kill)  # a hang is a failure
        self.timer.start()

    def line(self):
        return self.child.stdout.readline()

    def error_line(self):
        return self.child.stderr.readline()

    def interrupt(self):
        self.child.send_signal(signal.SIGINT)

    def end(self):
        """As run() gives it: what was not read yet."""
        out, err = self.child.communicate()
        self.timer.cancel()
        return subprocess.CompletedProcess(self.child.args, self.child.returncode, out, err)


def run_on_terminal(*args, url, token=None, on_data=None):
    """(exit status, what a terminal got of both streams). on_data is told what came so far."""
    master, slave = pty.openpty()
    env = {k: v for k, v in os.environ.items() if not k.startswith("FIRSTLIGHT_")}
    env |= {"FIRSTLIGHT_HOST": url} | ({"FIRSTLIGHT_TOKEN": token} if token else {})
    child = subprocess.Popen([PROGRAM, *args], env=env, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    got = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while select.select([master], [], [], RUN_S)[0] and (data := os.read(master, 65536)):
            got += data
            if on_data:
                on_data(got)
    os.close(master)
    return child.wait(RUN_S), got


class Appliance:
    """A server whose methods and paths a test fills in. methods: name -> result, an Exception of
    error(), or a function of the parameters that returns one of these. paths: GET path -> (status,
    type, body), or a function that returns this; the body may be an iterator of pieces, which are sent as
    they come and end with the connection. Keeps what it was asked."""

    def __init__(self, token=None):
        self.token, self.methods, self.paths = token, {}, {}
        self.asked, self.headers, self.gets = [], [], []
        self.methods["gpu.list"] = [{"index": 0, "pci": "0000:01:00.0", "uuid": "GPU-1-2", "name": "A",
                                     "chip": "ga102",
                                     "state": "ready"}]
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, kind, body):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def stream(self, status, kind, pieces):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.end_headers()
                for piece in pieces:
                    self.wfile.write(piece)
                self.close_connection = True

            def do_GET(self):
                outer.headers.append(dict(self.headers))
                outer.gets.append(self.path)
                found = outer.paths.get(self.path, (404, "application/problem+json",
                                                    problem(404, f"not '{self.path}'")))
                status, kind, body = found() if callable(found) else found
                (self.answer if isinstance(body, bytes) else self.stream)(status, kind, body)

            def do_POST(self):
                outer.headers.append(dict(self.headers))
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append(json.loads(body))
                self.answer(*outer.rpc(json.loads(body), self.headers.get("Authorization")))

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                """A client that goes in the middle is what some tests are about."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def rpc(self, request, authorization):
        answer = self.methods.get(request["method"],
                                  error(-32601, f"there is no method '{request['method']}'"))
        answer = answer(request.get("params")) if callable(answer) else answer
        status = 200
        if self.token and request["method"] != "gpu.list" and authorization != f"Bearer {self.token}":
            answer, status = error(-32001, "it needs the token"), 401
        key = "error" if isinstance(answer, RpcError) else "result"
        value = answer.value if isinstance(answer, RpcError) else answer
        return status, "application/json", json.dumps(
            {"jsonrpc": "2.0", key: value, "id": request["id"]}).encode()

    def params(self):
        """Of the last call."""
        return self.asked[-1].get("params")


class RpcError:
    def __init__(self, value):
        self.value = value


def error(code, message, **data):
    return RpcError({"code": code, "message": message} | ({"data": data} if data else {}))


def problem(status, detail):
    return json.dumps({"type": "about:blank", "title": "x", "status": status, "detail": detail}).encode()


class Raw:
    """A server that reads one request of each connection and sends these pieces of bytes, whatever was
    asked; then it closes, or with hold=True says nothing more until the test ends."""

    def __init__(self, *pieces, hold=False):
        self.pieces, self.hold = pieces, hold
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.connections = []

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        for c in self.connections:
            c.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections.append(connection)
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with contextlib.suppress(OSError):
            connection.recv(65536)
            for piece in self.pieces:
                connection.sendall(piece)
            if not self.hold:
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
                connection.close()


def main(name, *tests):
    """Runs the tests, each with the checks; one that raises has failed. Returns the exit status."""
    checks = Checks(name)
    if not PROGRAM.is_file():
        checks.ok("program", False, f"{PROGRAM} is missing: run make client-asan")
        return 1
    for test in tests:
        try:
            test(checks)
        except Exception as e:  # pylint: disable=broad-except
            checks.ok(test.__name__, False, f"{type(e).__name__}: {e}")
    print(f"1..{checks.done}")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit("a part of the tests")
