# SPDX-License-Identifier: MIT
"""A network of its own for a test: namespaces (network, mounts, processes) that end with it, a tap device
as the other end of a machine's cable, and there Debian's avahi-daemon on a D-Bus of its own.

    enter(__file__, "found", "avahi-daemon")      # starts this program again inside; or skips it
    with Network() as net:
        net.avahi()
        with test.machine(disk, netdev=net.netdev) as m: ...

Nothing of this machine is touched: /run is a file system in memory, and every process dies with the test.
"""
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

INSIDE = "FIRSTLIGHT_NAMESPACE"
HERE, THERE = "10.9.0.1", "10.9.0.2"  # the test's end of the cable, the appliance
TAP = "tap0"
START_S, POLL_S, TOOL_S = 20, 0.1, 30
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>
<auth>EXTERNAL</auth><policy context="default"><allow user="*"/><allow own="*"/>
<allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>
"""


def skip(name, reason):
    print(f"ok {name} # SKIP {reason}", flush=True)
    sys.exit(0)


def enter(program, name, *tools):
    """Returns inside of fresh namespaces, else runs the program there and exits with its status."""
    if os.environ.get(INSIDE):
        return
    missing = [t for t in ("unshare", "ip", "mount", *tools) if not shutil.which(t)]
    if missing:
        skip(name, f"no {', '.join(missing)}")
    if os.geteuid() != 0:
        skip(name, "a network of its own needs root")
    if not Path("/dev/net/tun").exists():
        skip(name, "no /dev/net/tun")
    apart = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"]
    tried = subprocess.run([*apart, "true"], stderr=subprocess.PIPE, text=True, timeout=TOOL_S, check=False)
    if tried.returncode != 0:
        skip(name, f"no namespaces here: {tried.stderr.strip()}")
    os.execvpe("unshare", [*apart, sys.executable, program, *sys.argv[1:]], {**os.environ, INSIDE: "1"})


def run(*args, check=True):
    done = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=TOOL_S, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(args)}: {done.stdout}")
    return done.stdout


def complaint(*args):
    """What a program says that fails; "" when it does not."""
    done = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=TOOL_S, check=False)
    return (done.stdout or "it failed") if done.returncode else ""


def wait(what, condition, seconds):
    """The first true value of condition()."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(POLL_S)
    return value


class Network:
    netdev = f"tap,ifname={TAP},script=no,downscript=no"

    def __init__(self):
        self.children = []

    def __enter__(self):
        run("mount", "--make-rprivate", "/")
        run("mount", "-t", "tmpfs", "none", "/run")
        run("ip", "link", "set", "lo", "up")
        run("ip", "tuntap", "add", TAP, "mode", "tap")
        run("ip", "addr", "add", f"{HERE}/24", "dev", TAP)
        run("ip", "link", "set", TAP, "up")
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            child.kill()
            child.wait()

    def start(self, *args):
        child = subprocess.Popen([str(a) for a in args], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.children.append(child)
        return child

    def avahi(self):
        """avahi-daemon, ready to be asked."""
        Path("/run/dbus").mkdir()
        Path("/run/avahi-daemon").mkdir()
        Path("/run/bus.conf").write_text(BUS)
        self.start("dbus-daemon", "--config-file=/run/bus.conf", "--nofork", "--nopidfile")
        wait("the bus", Path("/run/dbus/system_bus_socket").exists, START_S)
        self.start("avahi-daemon", "--no-drop-root", "--no-chroot", "--no-rlimits", "--no-proc-title",
                   "--file=/dev/null")
        wait("avahi-daemon", lambda: not complaint("avahi-browse", "-pt", "_none._tcp"), START_S)
