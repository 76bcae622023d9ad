#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""TLS with strangers as judges: curl, openssl s_client and Python's ssl (OpenSSL). The certificate that
is made at boot, the one of the boot volume, and files that cannot be one.

    test_tls.py [made|volume|bad]...     only these
"""
import hashlib
import re
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time

from _harness import IMAGES, Test, image

import launch

TOOL_S = 60  # for hangs, not for speed
MDNS_NAME = "firstlight-123456.local"  # QEMU's first card is 52:54:00:12:34:56
HANDSHAKES, PLAIN = 100, 1000
LIMIT_S, POLL_S = 10, 3  # of a handshake; until it is noticed
KEPT_S = 0.1  # how long one status answers again
SLOW = 6                 # such a machine's clock may run so many times slower than ours
BODY = 60000             # several of a client's largest records


def run(*args, data=None):
    done = subprocess.run([str(a) for a in args], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=TOOL_S, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def openssl(*args):
    code, text = run("openssl", *args)
    if code != 0:
        raise RuntimeError(f"openssl {' '.join(map(str, args))}: {text}")
    return text


class Peer:
    """The appliance's port 443, from outside."""

    def __init__(self, test, machine):
        self.test, self.machine, self.port = test, machine, machine.https_port

    def ok(self, *args):
        return self.test.ok(*args)

    def curl(self, *args, path="/healthz", host="127.0.0.1"):
        return run("curl", "-sS", "--max-time", TOOL_S, "--connect-to",
                   f"{host}:443:127.0.0.1:{self.port}", *args, f"https://{host}{path}")

    def s_client(self, *args):
        return run("openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", *args, data=b"")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), TOOL_S)

    def context(self, pem=None):
        context = ssl.create_default_context(cadata=pem) if pem else ssl._create_unverified_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

    def certificate(self):
        """(DER, PEM) of what the server shows."""
        with self.context().wrap_socket(self.connect()) as s:
            der = s.getpeercert(binary_form=True)
        return der, ssl.DER_cert_to_PEM_cert(der)

    def status(self):
        return self.machine.json("/api/v1/status")["appliance"]["tls"]

    def until_closed(self, s, at_most_s):
        """Seconds until the other side ends the connection; None: it does not."""
        begin = time.monotonic()
        s.settimeout(at_most_s)
        try:
            while s.recv(4096):
                pass
        except TimeoutError:
            return None
        except OSError:
            pass
        return time.monotonic() - begin


def fingerprint(der):
    return ":".join(f"{b:02X}" for b in hashlib.sha256(der).digest())


def strangers(p):
    """What works, and with whom."""
    der, pem = p.certificate()
    shown = p.machine.wait_serial(r"TLS certificate SHA-256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})")[1]
    p.test.equal("fingerprint-shown", shown, fingerprint(der))
    status = p.status()
    p.test.equal("fingerprint-status", status["fingerprint"], shown)
    p.test.equal("enabled", status["enabled"], True)
    path = IMAGES / "tls-shown.pem"
    path.write_text(pem)
    name = p.machine.json("/api/v1/status")["network"][0]["name"]
    p.test.equal("mdns-name", name, MDNS_NAME)
    for host in ("firstlight", "firstlight.local", name, "10.0.2.15"):
        code, text = p.curl("--cacert", path, host=host)
        p.ok(f"curl-{host}", (code, text) == (0, "ok\n"), f"{code}: {text}")
    code, text = run("curl", "-sS", "--max-time", TOOL_S, "--resolve", f"{name}:{p.port}:127.0.0.1", "--cacert", path,
                     f"https://{name}:{p.port}/healthz")
    p.ok("curl-resolve", (code, text) == (0, "ok\n"), f"{code}: {text}")
    code, text = p.curl("--cacert", path, host="elsewhere.example")
    p.ok("curl-other-name", code == 60, f"{code}: {text}")
    code, text = p.curl()
    p.ok("curl-untrusted", code == 60, f"{code}: {text}")
    text = openssl("x509", "-in", path, "-noout", "-subject", "-ext", "subjectAltName,basicConstraints")
    p.test.holds("x509", text, "CN = firstlight", "DNS:firstlight", "DNS:firstlight.local",
                 f"DNS:{name}", "IP Address:10.0.2.15", "CA:TRUE")
    code, text = p.s_client("-tls1_3", "-CAfile", path, "-verify_return_error")
    p.ok("s_client", code == 0 and "TLSv1.3" in text and "Verify return code: 0" in text, text)
    for suite in ("TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"):
        code, text = p.s_client("-tls1_3", "-ciphersuites", suite)
        p.ok(f"s_client-{suite}", code == 0 and f"Cipher is {suite}" in text, text)
    for group in ("X25519", "P-256"):
        code, text = p.s_client("-tls1_3", "-groups", group)
        p.ok(f"s_client-{group}", code == 0 and "Cipher is TLS_" in text, text)
    # A first guess that we do not have: a HelloRetryRequest (RFC 8446 4.1.4).
    code, text = p.s_client("-tls1_3", "-groups", "P-384:P-256", "-msg")
    p.ok("s_client-retry", code == 0 and "Cipher is TLS_" in text and text.count("ClientHello") == 2,
         text)


def traffic(p):
    """Bodies in both directions, and a connection that is used again."""
    code, text = run("curl", "-ksS", "--max-time", TOOL_S, "-o", "/dev/null", "-o", "/dev/null", "-w",
                     "%{http_code} %{num_connects} %{size_download}\\n",
                     f"https://127.0.0.1:{p.port}/", f"https://127.0.0.1:{p.port}/")
    plain = len(p.machine.request("GET", "/")[2])
    p.test.equal("page-twice", text, f"200 1 {plain}\n200 0 {plain}\n")
    # One request of many records: the engine reads all of it before it refuses.
    code, text = p.curl("-k", "-H", "Expect:", "-d", "x" * BODY, "-o", "/dev/null", "-w", "%{http_code}")
    p.ok("body", code == 0 and text == "405", f"{code}: {text}")
    # A client that says goodbye with its request gets the answer, and a goodbye.
    with p.context().wrap_socket(p.connect(), suppress_ragged_eofs=False) as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: 10.0.2.15\r\nConnection: close\r\n\r\n")
        got = b""
        while data := s.recv(4096):  # raises where there is no close_notify
            got += data
    p.ok("close-notify", got.endswith(b"ok\n"), got)


def refusals(p):
    """What is not served, and says so."""
    before = p.status()
    code, text = p.s_client("-tls1_2")
    p.ok("tls12", code != 0 and "protocol version" in text, text)
    code, text = p.s_client("-tls1_3", "-groups", "P-384")
    p.ok("no-group", code != 0 and "alert" in text, text)
    code, text = run("curl", "-sS", "--max-time", TOOL_S, f"http://127.0.0.1:{p.port}/healthz")
    p.test.holds("plain", text, "https://")
    for name, data in (("zeros", bytes(4096)), ("ones", b"\xff" * 4096),
                       ("records", b"\x16\x03\x01\x40\x00" * 4000)):
        with p.connect() as s:
            try:
                s.sendall(data)
            except OSError:
                pass  # it may be closed before all of it is out
            took = p.until_closed(s, SLOW * (LIMIT_S + POLL_S))
        p.ok(f"garbage-{name}", took is not None, "the connection stays")
    after, end = p.status(), time.monotonic() + LIMIT_S
    while after["failed"] < before["failed"] + 6 and time.monotonic() < end:
        time.sleep(KEPT_S)  # what was answered a moment before is answered again
        after = p.status()
    p.ok("counted", after["failed"] >= before["failed"] + 6, f"{before} {after}")


def silence(p):
    """A handshake that does not go on ends after its limit, wherever it stopped."""
    hello = p.context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        hello.wrap_bio(incoming, outgoing).do_handshake()
    except ssl.SSLWantReadError:
        pass
    flight = outgoing.read()
    for name, size in (("half", len(flight) // 2), ("whole", len(flight))):
        with p.connect() as s:
            s.sendall(flight[:size])
            took = p.until_closed(s, SLOW * (LIMIT_S + POLL_S))
        p.ok(f"silent-{name}", took is not None and took > LIMIT_S / 2, f"closed after {took}")


def beside(p):
    """Handshakes in turn beside plain requests: those are not held up."""
    took, wrong, shaken = [], [], []

    def plain(count):
        for _ in range(count):
            begin = time.monotonic()
            code, _ = p.machine.get("/healthz", TOOL_S)
            took.append(time.monotonic() - begin)
            if code != 200:
                wrong.append(code)

    def percentiles():
        ms = sorted(1000 * s for s in took)
        return f"median {statistics.median(ms):.1f} ms, p99 {ms[len(ms) * 99 // 100]:.1f} ms, most {ms[-1]:.1f} ms"

    before = p.machine.json("/api/v1/status")["appliance"]
    plain(PLAIN // 4)
    p.test.note(f"plain alone: {percentiles()}")
    took.clear()
    thread = threading.Thread(target=plain, args=(PLAIN,))
    thread.start()
    for _ in range(HANDSHAKES):
        begin = time.monotonic()
        with p.context().wrap_socket(p.connect()) as s:
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: 10.0.2.15\r\nConnection: close\r\n\r\n")
            answer = b""
            while data := s.recv(4096):
                answer += data
        shaken.append(time.monotonic() - begin)
        if not answer.endswith(b"ok\n"):
            wrong.append(answer)
    thread.join()
    after = p.machine.json("/api/v1/status")["appliance"]
    p.ok("beside", len(took) == PLAIN and not wrong, wrong[:3])
    p.ok("beside-counted", after["tls"]["handshakes"] >= before["tls"]["handshakes"] + HANDSHAKES, after)
    p.test.note(f"{PLAIN} plain beside {HANDSHAKES} handshakes: {percentiles()}; a handshake with its "
                f"request: median {1000 * statistics.median(shaken):.1f} ms")
    for name, a in (("before", before), ("after", after)):
        p.test.note(f"longest stretch without a yield {name}: {a['scheduler']['longest_run_us']} us "
                    f"in {a['scheduler']['longest_run']}; TLS memory at most {a['tls']['memory_peak']} bytes")


def made(test):
    with test.machine(image("tls", "tls = yes\n"), chips=[], https_port=launch.free_port()) as m:
        m.wait_http()
        p = Peer(test, m)
        strangers(p)
        traffic(p)
        refusals(p)
        silence(p)
        beside(p)
        test.equal("memory-given-back", p.status()["memory_refused"], 0)


def make_files(name, key_kind=("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")):
    """(key, certificate) in PEM."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    key, cert = IMAGES / f"{name}-key.pem", IMAGES / f"{name}-cert.pem"
    openssl("genpkey", *key_kind, "-out", key)
    openssl("req", "-x509", "-key", key, "-out", cert, "-days", "30", "-subj", "/CN=bench",
            "-addext", "subjectAltName=DNS:bench.example")
    return key, cert


def volume(test):
    """Key and certificate of the volume, and no answers without TLS."""
    key, cert = make_files("tls-volume")
    disk = image("tls-volume", "tls = only\nhosts = bench.example\n",
                 more=["--extra", f"{cert}:/tls/cert.pem", "--extra", f"{key}:/tls/key.pem"])
    with test.machine(disk, chips=[], https_port=launch.free_port()) as m:
        code, _ = m.wait_http()
        test.equal("only-403", code, 403)
        for path in ("/", "/api/v1/status", "/metrics", "/nothing"):
            code, text = m.get(path)
            test.ok(f"only-{path}", code == 403 and "TLS only" in text, f"{code}: {text}")
        p = Peer(test, m)
        code, text = p.curl("--cacert", cert, host="bench.example")
        test.ok("volume-curl", (code, text) == (0, "ok\n"), f"{code}: {text}")
        der = ssl.PEM_cert_to_DER_cert(cert.read_text())
        m.wait_serial(re.escape(f"TLS certificate SHA-256 {fingerprint(der)}"))
        code, text = p.curl("--cacert", cert, host="bench.example", path="/api/v1/status")
        test.ok("volume-status", '"only":true,"from_volume":true' in re.sub(r"\s", "", text), text[:600])
        test.ok("volume-quiet", "a certificate is made" not in m.serial, m.serial[-800:])


def bad(test):
    """Files that do not do: the reason is told, and a certificate is made."""
    rsa, _ = make_files("tls-rsa", ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"))
    _, cert = make_files("tls-bad")
    disk = image("tls-bad", "tls = yes\n",
                 more=["--extra", f"{cert}:/tls/cert.pem", "--extra", f"{rsa}:/tls/key.pem"])
    with test.machine(disk, chips=[], https_port=launch.free_port()) as m:
        m.wait_http()
        p = Peer(test, m)
        code, text = p.curl("-k")
        test.ok("bad-made-instead", (code, text) == (0, "ok\n"), f"{code}: {text}")
        notes = m.json("/api/v1/status")["appliance"]["notes"]
        test.ok("bad-reason", any("tls/key.pem" in n and "EC P-256" in n for n in notes), notes)
        test.equal("bad-not-from-volume", p.status()["from_volume"], False)


with Test("tls") as the_test:
    for part in (made, volume, bad):
        if len(sys.argv) < 2 or part.__name__ in sys.argv[1:]:
            part(the_test)
