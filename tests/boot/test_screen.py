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


def wait(m, text, ink, paper=_screen.PAPER, level=LARGE):
    """The first picture that shows this, or the last one."""
    end = time.monotonic() + SCREEN_S
    while True:
        picture = _screen.Picture(m)
        if picture.find(text, level, ink, paper) or time.monotonic() > end:
            return picture
        m.check()
        time.sleep(0.2)


def shows(t, name, picture, text, ink, paper=_screen.PAPER, level=LARGE):
    t.ok(name, picture.find(text, level, ink, paper), f"{text!r} is not on the screen")


def ready(t):
    with t.machine(image("screen", "hostname = bench7\n"), screen=True) as m:
        m.wait_gpu()
        picture = wait(m, "GPU READY", _screen.BRIGHT, _screen.BAND_GOOD)
        t.ok("large", 16 * LARGE * 20 >= LINES and picture.height == LINES, picture.height)
        shows(t, "verdict-ready", picture, "GPU READY", _screen.BRIGHT, _screen.BAND_GOOD)
        shows(t, "gpu-ready", picture, "READY", _screen.GOOD)
        shows(t, "chip", picture, "GA102", _screen.BRIGHT)
        shows(t, "address", picture, ADDRESS, _screen.BRIGHT)
        shows(t, "hostname", picture, "bench7", _screen.BRIGHT, level=2)
        shows(t, "token", picture, f"token {m.token()}", _screen.NORMAL, level=1)
        t.equal("qr", picture.qr(), ADDRESS)
        # The secret is for whoever stands before the machine.
        everything = m.get("/api/v1/log")[1] + m.get("/api/v1/status")[1]
        t.ok("token-not-sent", m.token() and m.token() not in everything)
        lines = [line for line in picture.log() if line]
        t.ok("log-below", len(lines) > 10 and "is ready after" in " ".join(lines[-3:]), lines[-3:])
        # Nothing is drawn while nothing happens, and an order is seen.
        code = m.request("POST", "/rpc", b'{"jsonrpc":"2.0","id":1,"method":"gpu.unload","params":{"gpu":0}}',
                         {"Authorization": f"Bearer {m.token()}", "Content-Type": "application/json"})
        t.equal("unload", code[0], 200)
        picture = wait(m, "UNLOADED", _screen.NORMAL)
        shows(t, "gpu-unloaded", picture, "UNLOADED", _screen.NORMAL)


def failed(t):
    with t.machine(image("screen-failed", "attempts = 1\n", chips=["ga102", "ad102"]), screen=True,
                   chips=["ga102", "ad102"], memory_mib=2048,
                   gpu_args=[[], ["--fault", "fwsec-error=7"]]) as m:
        gpus = m.wait_gpu(index=1)["gpus"]
        m.wait_gpu(index=0)
        t.equal("state", gpus[1]["state"], "failed")
        picture = wait(m, "GPU 1 FAILED", _screen.BRIGHT, _screen.BAND_ERROR)
        shows(t, "verdict-failed", picture, "GPU 1 FAILED", _screen.BRIGHT, _screen.BAND_ERROR)
        shows(t, "gpu-0-ready", picture, "READY", _screen.GOOD)
        shows(t, "gpu-1-failed", picture, f"FAILED in {gpus[1]['error']['stage']}", _screen.ERROR)
        hint = gpus[1]["error"]["hint"]
        shows(t, "hint", picture, f"try: {hint}"[:60], _screen.NORMAL, level=1)


def no_gpu(t):
    with t.machine(image("screen-nonet", "hostname = bench7\n"), chips=[], nic="none", screen=True) as m:
        m.wait_serial(r"no NVIDIA GPU", SCREEN_S)
        picture = wait(m, "NO GPU", _screen.BRIGHT, _screen.BAND_WARN)
        shows(t, "verdict-no-gpu", picture, "NO GPU", _screen.BRIGHT, _screen.BAND_WARN)
        shows(t, "no-card", picture, "no network card", _screen.WARN)
        t.equal("no-qr", picture.qr(), "")


def no_link(t):
    """The cable is pulled and put in again."""
    with t.machine(image("screen", "hostname = bench7\n"), chips=[], screen=True) as m:
        m.wait_http()
        wait(m, ADDRESS, _screen.BRIGHT)
        m.qmp("set_link", name="net0", up=False)
        picture = wait(m, "no network link", _screen.WARN)
        shows(t, "no-link", picture, "no network link", _screen.WARN)
        t.equal("no-link-no-qr", picture.qr(), "")
        m.qmp("set_link", name="net0", up=True)
        picture = wait(m, ADDRESS, _screen.BRIGHT)
        shows(t, "link-again", picture, ADDRESS, _screen.BRIGHT)
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
