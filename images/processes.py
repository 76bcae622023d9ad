# SPDX-License-Identifier: MIT
"""What a machine (launch.py) is made of: processes that are watched, QEMU's control socket and its
pictures, ports of this computer."""
import json
import re
import signal
import socket
import struct
import subprocess
import zlib
from pathlib import Path

# Deadlines in seconds.
QMP_S = 10
STOP_S = 10
LAST_LINES = 12


class MachineError(Exception):
    """The machine cannot be started or has died; the text is for people."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def port_is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Child:
    """A process with its error output kept in a file."""

    def __init__(self, name, args, work, *, stdout, pass_fds=()):
        self.name = name
        self.errors = Path(work) / f"{name}.stderr"
        with open(self.errors, "wb") as err:
            self.process = subprocess.Popen([str(a) for a in args], stdin=subprocess.DEVNULL,
                                            stdout=stdout, stderr=err, pass_fds=pass_fds)

    def last_words(self):
        lines = self.errors.read_text(errors="replace").strip().splitlines()[-LAST_LINES:]
        return "\n".join(f"    {line}" for line in lines) or "    (it said nothing)"

    def status_text(self):
        code = self.process.poll()
        if code is None:
            return "is running"
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with status {code}"

    def end(self, first=signal.SIGTERM):
        """Asks, waits, insists. Returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(first)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


class Qmp:
    """QEMU's control socket: one command at a time."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(QMP_S)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("r")
        json.loads(self.lines.readline())
        self.command("qmp_capabilities")

    def command(self, name, /, **arguments):
        request = {"execute": name}
        if arguments:
            request["arguments"] = {k.replace("_", "-"): v for k, v in arguments.items()}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while line := self.lines.readline():
            answer = json.loads(line)
            if "error" in answer:
                raise MachineError(f"QEMU refuses {name}: {answer['error'].get('desc')}")
            if "return" in answer:
                return answer["return"]
        raise MachineError(f"QEMU closed its control socket during {name}")


def ppm_to_png(ppm, png):
    """Rewrites QEMU's screen dump (P6, 8 bits) as PNG. Source: PNG specification, third edition."""
    data = Path(ppm).read_bytes()
    head = re.match(rb"P6\s+(?:#[^\n]*\n\s*)*(\d+)\s+(\d+)\s+255\s", data)
    if not head:
        raise MachineError("QEMU's screen dump is not a P6 picture with 8 bits")
    width, height = int(head[1]), int(head[2])
    row = 3 * width
    pixels = data[head.end():head.end() + row * height]
    if len(pixels) != row * height:
        raise MachineError(f"QEMU's screen dump is short: {len(pixels)} of {row * height} bytes")
    raw = b"".join(b"\0" + pixels[y * row:(y + 1) * row] for y in range(height))

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    Path(png).write_bytes(b"\x89PNG\r\n\x1a\n" +
                          chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                          chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))
