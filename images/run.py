#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make run`: boots the appliance on the GPU model under QEMU and shows its serial line. Prints the
URL and the token as soon as the appliance answers. Ctrl-C ends it; what each part said lies in
build/run/."""
import argparse
import re
import sys
import time

from launch import CONF, TOP, Machine, MachineError, make_image, read_deps

RECORD = TOP / "build/run"
# Control sequences of the firmware and the boot manager: a terminal would jump about.
CONTROL = re.compile(rb"\x1b\[[0-9;=?]*[A-Za-z]|\x1b[()][A-Z0-9]|\r")
POLL_S = 0.2


class Echo:
    """The serial line on the terminal, without control sequences. Passes whole lines on, so that a
    sequence which arrives in two pieces is still seen as one."""

    def __init__(self):
        self.rest = b""

    def write(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            text = CONTROL.sub(b"", line)
            if text.strip():
                sys.stdout.buffer.write(text + b"\n")

    def flush(self):
        sys.stdout.buffer.flush()


def say(text):
    print(f"[run] {text}", flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chip", default="ga102")
    parser.add_argument("--fw-version", default="570.144")
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--nic", default="virtio", help="virtio, e1000e, both or none")
    parser.add_argument("--http-port", type=int, default=8080)
    parser.add_argument("--firmware-dir", help="holds nvidia/<chip>/gsp/*.bin")
    parser.add_argument("--conf", default=CONF)
    parser.add_argument("--model-arg", action="append", default=[], help="passed to gpu-model")
    parser.add_argument("--seconds", type=float, help="end by itself after this time")
    return parser.parse_args()


def watch(machine, seconds):
    """Until Ctrl-C, the end of QEMU or the time is up."""
    until = None if seconds is None else time.monotonic() + seconds
    while until is None or time.monotonic() < until:
        machine.check()
        time.sleep(POLL_S)


def run(machine, args):
    begin = time.monotonic()
    if args.nic != "none":
        machine.wait_http()
        say(f"answers after {time.monotonic() - begin:.1f} s: "
            f"http://127.0.0.1:{machine.http_port}/")
        token = machine.token()
        say(f"token for what changes state: {token}" if token else "no token on the serial line")
    watch(machine, args.seconds)


def main():
    args = parse()
    chips = [args.chip] * args.gpus
    status = 0
    try:
        image = make_image(RECORD / "firstlight.img", chips=chips or [args.chip], conf=args.conf,
                           fw_versions=[args.fw_version], firmware_dir=args.firmware_dir or None)
        say(f"{args.gpus} x {args.chip}, firmware {args.fw_version}, network card {args.nic}, "
            f"QEMU {read_deps().get('QEMU_VERSION')}; Ctrl-C ends it")
        machine = Machine(image, chips=chips, fw_version=args.fw_version, nic=args.nic,
                          firmware_dir=args.firmware_dir or None, http_port=args.http_port,
                          model_args=args.model_arg, echo=Echo(), record=RECORD)
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
                say(f"{name} ended with status {code}: see {RECORD}/{name}.report")
        say(f"logs, reports, versions and hashes: {RECORD}/")
    except MachineError as e:
        say(str(e))
        status = 1
    except KeyboardInterrupt:
        status = 130
    return status


if __name__ == "__main__":
    sys.exit(main())
