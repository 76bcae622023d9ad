#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make run`: boots the appliance on the GPU model under QEMU and shows its serial line. Prints the
URL and the token as soon as the appliance answers. Ctrl-C ends it; what each part said lies in
build/run/. Exit status: 0 when the machine was switched off, the time was up or Ctrl-C ended it, 1
when something died or a model was not content with the driver."""
import argparse
import os
import re
import signal
import sys
import time
from pathlib import Path

from launch import CONF, HTTP_FIRST_S, TOP, Machine, MachineError, make_image, read_deps

RECORD = TOP / "build/run"
# Control sequences of the firmware and the boot manager: a terminal would jump about.
CONTROL = re.compile(rb"\x1b\[[0-9;=?]*[A-Za-z]|\x1b[()][A-Z0-9]")
POLL_S = 0.2
PROGRESS_S = 10
SCREEN_S = 1  # the screen is drawn when nothing else is to do


class Echo:
    """The serial line on the terminal, without control sequences. Passes whole lines on, so that a
    sequence which arrives in two pieces is still seen as one."""

    def __init__(self):
        self.rest = b""

    def write(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            # Of a line that was drawn again and again (a progress bar) the last state counts.
            text = CONTROL.sub(b"", line).rstrip(b"\r").rsplit(b"\r", 1)[-1]
            if text.strip():
                sys.stdout.buffer.write(text + b"\n")

    def flush(self):
        sys.stdout.buffer.flush()


def say(text):
    print(f"[run] {text}", flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chip", action="append", help="default ga102; repeat it for several GPUs")
    parser.add_argument("--fw-version", default="570.144")
    parser.add_argument("--gpus", type=int, default=1, help="how many of each chip; 0: none")
    parser.add_argument("--nic", default="virtio", help="virtio, e1000e, both or none")
    parser.add_argument("--http-port", type=int, default=8080)
    parser.add_argument("--https-port", type=int, metavar="PORT",
                        help="where it answers over TLS; tls = yes where the config says nothing of tls")
    parser.add_argument("--firmware-dir", help="holds nvidia/<chip>/gsp/*.bin")
    parser.add_argument("--conf", default=CONF)
    parser.add_argument("--image", help="a disk image; default: one made of what was built")
    parser.add_argument("--memory", type=int, default=1024, metavar="MIB")
    parser.add_argument("--model-arg", action="append", default=[], help="passed to gpu-model")
    parser.add_argument("--qemu-arg", action="append", default=[], help="passed to QEMU")
    parser.add_argument("--gdb", action="store_true",
                        help="let gdb attach: make gdb, or target remote build/run/gdb.sock")
    parser.add_argument("--screenshot", metavar="FILE.png", help="the screen, once it answers")
    parser.add_argument("--record", type=Path, default=RECORD, help="where logs and reports go")
    parser.add_argument("--seconds", type=float, help="end by itself after this time")
    args = parser.parse_args()
    # CHIP="ga102 gb202": one of each
    args.chips = [c for text in args.chip or ["ga102"] for c in text.split()] * args.gpus
    return args


class Progress:
    """Says now and then that nothing has answered yet."""

    def __init__(self):
        self.said = 0.0

    def __call__(self, waited_s):
        if waited_s - self.said >= PROGRESS_S:
            self.said = waited_s
            say(f"no answer over HTTP yet, {waited_s:.0f} s of {HTTP_FIRST_S}")


def gdb_args(record):
    """QEMU's arguments for a debugger, at a socket that only this user reaches."""
    path = record / "gdb.sock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    say("a debugger may attach: make gdb")
    # From here, for the path of a socket is short (unix(7)).
    return ["-gdb", f"unix:{os.path.relpath(path)},server=on,wait=off"]


def config(args):
    """The config file: with TLS where a port for it was asked and the file does not speak of it."""
    conf = Path(args.conf)
    text = conf.read_text(encoding="utf-8")
    if not args.https_port or re.search(r"^\s*tls\s*=", text, re.M):
        return conf
    args.record.mkdir(parents=True, exist_ok=True)
    with_tls = args.record / "firstlight.conf"
    with_tls.write_text(f"{text.rstrip()}\ntls = yes\n", encoding="utf-8")
    return with_tls


def watch(machine, seconds):
    """Until Ctrl-C, the end of QEMU or the time is up."""
    until = None if seconds is None else time.monotonic() + seconds
    while until is None or time.monotonic() < until:
        if machine.switched_off():
            say("the machine is switched off")
            return
        machine.check()
        time.sleep(POLL_S)


def run(machine, args):
    begin = time.monotonic()
    if args.nic != "none":
        machine.wait_http(progress=Progress())
        say(f"answers after {time.monotonic() - begin:.1f} s: "
            f"http://127.0.0.1:{machine.http_port}/")
        if machine.https_port:
            say(f"over TLS: https://127.0.0.1:{machine.https_port}/")
        token = machine.token()
        if token:
            say(f"token for what changes state: {token}")
    if args.screenshot:
        for i in range(len(args.chips)):
            machine.wait_gpu(index=i)
        time.sleep(SCREEN_S)
        machine.screenshot(args.screenshot)
        say(f"screen saved to {args.screenshot}")
    watch(machine, args.seconds)


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    args = parse()
    status = 0
    signal.signal(signal.SIGTERM, interrupted)
    try:
        image = args.image or make_image(
            RECORD / "firstlight.img", chips=args.chips or ["ga102"], conf=config(args),
            fw_versions=[args.fw_version], firmware_dir=args.firmware_dir or None)
        say(f"{' + '.join(args.chips) or 'no GPU'}, firmware {args.fw_version}, network card {args.nic}, "
            f"QEMU {read_deps().get('QEMU_VERSION')}; Ctrl-C ends it")
        machine = Machine(image, chips=args.chips, fw_version=args.fw_version, nic=args.nic,
                          firmware_dir=args.firmware_dir or None, http_port=args.http_port, https_port=args.https_port,
                          memory_mib=args.memory, screen=bool(args.screenshot),
                          model_args=args.model_arg,
                          qemu_args=args.qemu_arg + (gdb_args(args.record) if args.gdb else []),
                          echo=Echo(),
                          record=args.record)
        try:
            machine.start()
            run(machine, args)
        except KeyboardInterrupt:
            print()
        finally:
            ended = machine.stop()
        for name, code in ended.items():
            if name != "qemu" and code != 0:
                status = 1
                say(f"{name} ended with status {code}: see {args.record}/{name}.report")
        say(f"logs, reports, versions and hashes: {args.record}/")
    except MachineError as e:
        say(str(e))
        status = 1
    except KeyboardInterrupt:
        status = 130
    return status


if __name__ == "__main__":
    sys.exit(main())
