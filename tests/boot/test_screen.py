#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The machine's own screen: its fixed part says where the machine is and what each GPU does, in large
letters, on the picture that QEMU shows. A GPU that is ready, one that failed beside one that is ready,
no GPU, and no network. The QR code is read by zbarimg."""
import time

import _screen
from _harness import Test, image

SCREEN_S = 60  # it is drawn when nothing else is to do; a deadline for hangs, not for speed
# OVMF's screen has 1280 x 800 pixels: letters of 64 in the verdict and of the GPUs.
LARGE, LINES = 4, 800
ADDRESS = "http://10.0.2.15/"


def until(m, there):
    """The first picture of which that is so, or the last one before the deadline."""
    end = time.monotonic() + SCREEN_S
    while True:
        picture = _screen.Picture(m)
        if there(picture) or time.monotonic() > end:
            return picture
        m.check()
        time.sleep(0.2)


def shows(t, name, m, text, ink, paper=_screen.PAPER, level=LARGE):
    """The text comes to the screen; returns the picture."""
    picture = until(m, lambda p: p.find(text, level, ink, paper))
    t.ok(name, picture.find(text, level, ink, paper), f"{text!r} is not on the screen")
    return picture


def ready(t):
    with t.machine(image("screen", "hostname = bench7\n"), screen=True) as m:
        m.wait_gpu()
        picture = shows(t, "verdict-ready", m, "GPU READY", _screen.BRIGHT, _screen.BAND_GOOD)
        shows(t, "gpu-ready", m, "READY", _screen.GOOD)
        shows(t, "chip", m, "GA102", _screen.BRIGHT)
        shows(t, "address", m, ADDRESS, _screen.BRIGHT)
        shows(t, "hostname", m, "bench7", _screen.BRIGHT, level=2)
        shows(t, "token", m, f"token {m.token()}", _screen.NORMAL, level=1)
        t.ok("large", 16 * LARGE * 20 >= LINES and picture.height == LINES, picture.height)
        t.equal("qr", picture.qr(), ADDRESS)
        # The secret is for whoever stands before the machine.
        everything = m.get("/api/v1/log")[1] + m.get("/api/v1/status")[1]
        t.ok("token-not-sent", m.token() and m.token() not in everything)
        lines = until(m, lambda p: any("is ready after" in line for line in p.log())).log()
        t.ok("log-below", any("is ready after" in line for line in lines) and
             not any(_screen.UNREADABLE in line for line in lines), lines[-3:])
        # Nothing is drawn while nothing happens, and an order is seen.
        code = m.request("POST", "/rpc", b'{"jsonrpc":"2.0","id":1,"method":"gpu.unload","params":{"gpu":0}}',
                         {"Authorization": f"Bearer {m.token()}", "Content-Type": "application/json"})
        t.equal("unload", code[0], 200)
        shows(t, "gpu-unloaded", m, "UNLOADED", _screen.NORMAL)


def failed(t):
    with t.machine(image("screen-failed", "attempts = 1\n", chips=["ga102", "ad102"]), screen=True,
                   chips=["ga102", "ad102"], memory_mib=2048,
                   gpu_args=[[], ["--fault", "fwsec-error=7"]]) as m:
        gpus = m.wait_gpu(index=1)["gpus"]
        m.wait_gpu(index=0)
        t.equal("state", gpus[1]["state"], "failed")
        shows(t, "verdict-failed", m, "GPU 1 FAILED", _screen.BRIGHT, _screen.BAND_ERROR)
        shows(t, "gpu-0-ready", m, "READY", _screen.GOOD)
        shows(t, "gpu-1-failed", m, f"FAILED in {gpus[1]['error']['stage']}", _screen.ERROR)
        hint = gpus[1]["error"]["hint"]
        shows(t, "hint", m, f"try: {hint}"[:60], _screen.NORMAL, level=1)


def no_gpu(t):
    with t.machine(image("screen-nonet", "hostname = bench7\n"), chips=[], nic="none", screen=True) as m:
        m.wait_serial(r"no NVIDIA GPU", SCREEN_S)
        picture = shows(t, "verdict-no-gpu", m, "NO GPU", _screen.BRIGHT, _screen.BAND_WARN)
        shows(t, "no-card", m, "no network card", _screen.WARN)
        t.equal("no-qr", picture.qr(), "")


def no_link(t):
    """The cable is pulled and put in again."""
    with t.machine(image("screen", "hostname = bench7\n"), chips=[], screen=True) as m:
        m.wait_http()
        shows(t, "link", m, ADDRESS, _screen.BRIGHT)
        m.qmp("set_link", name="net0", up=False)
        picture = shows(t, "no-link", m, "no network link", _screen.WARN)
        t.equal("no-link-no-qr", picture.qr(), "")
        m.qmp("set_link", name="net0", up=True)
        picture = shows(t, "link-again", m, ADDRESS, _screen.BRIGHT)
        t.equal("qr-again", picture.qr(), ADDRESS)


def off(t):
    with t.machine(image("screen-off", "screen = off\n"), chips=[], screen=True) as m:
        m.wait_http()
        time.sleep(1)
        picture = _screen.Picture(m)
        t.ok("off", all(row == bytes(len(row)) for row in picture.rows), "something is drawn")


with Test("screen") as test:
    ready(test)
    failed(test)
    no_gpu(test)
    no_link(test)
    off(test)
