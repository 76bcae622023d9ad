#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make test-other-debian`: what a user does on a fresh Debian, done on a fresh Debian: in a bare root
of the release that this machine is not, from the committed tree, `make run` and `make test`.

    bare.py [--release 12|13] [--goals "run test"] [--only GROUPS] [--match TEXT] [--fresh] [--keep]

The root is made with debootstrap from the machine's own mirror and lives in a mount and process
namespace of its own: whatever ends this program ends all that was started and unmounts everything.
Made roots, packages and what the set-up fetched are kept in the cache; --fresh does without. The last
line is "Debian 13 (trixie), bare: N passed, N failed". Exit status: 0 when all goals passed, 1 when
not, 2 when it cannot be done here (and why).
"""
import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "images/toolroot"))
import cache  # noqa: E402
import private_apt  # noqa: E402

RELEASES = {"12": "bookworm", "13": "trixie"}
KEPT = cache.CACHE / "debian"
RESULTS = TOP / "build/test-results"
INSIDE = Path("srv/firstlight")  # where the tree lies in the root
SCRIPT = Path("srv/inside.sh")
# Before make there is nothing; everything else is the set-up's own business.
NEEDED_FIRST = "make"
FREE_BYTES = 12 << 30  # the root, the packages, three variants of the build, QEMU's images
BOOTSTRAP_S, TAR_S, TOOL_S = 1200, 300, 60
DEADLINE_S = 3 * 3600  # of all goals together
RUN_S = 20  # how long make run shows the appliance before it ends itself
CACHED_DAYS = 30  # an older root is made anew
CANNOT = 2
# Mounts nobody outside sees, and processes that end with the first of them.
ALONE = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


class Cannot(Exception):
    """Why it cannot be done on this machine, and what would help."""


def say(text):
    print(f"[debian] {text}", flush=True)


def own_release():
    match = re.search(r"^VERSION_ID=\"?(\d+)", Path("/etc/os-release").read_text(), re.M)
    return match[1] if match else ""


# --- what it takes ------------------------------------------------------------------------------------
def look(args):
    """The mirror; raises Cannot when something else is missing."""
    if os.geteuid() != 0:
        raise Cannot("a root of another Debian needs root (chroot, mounts): run it as root")
    for tool, package in (("debootstrap", "debootstrap"), ("unshare", "util-linux"), ("git", "git")):
        if not shutil.which(tool):
            raise Cannot(f"the program {tool} is missing: apt-get install {package}")
    if not Path(private_apt.KEYRING).exists():
        raise Cannot(f"{private_apt.KEYRING} is missing: apt-get install debian-archive-keyring")
    alone = subprocess.run([*ALONE, "true"], capture_output=True, text=True, check=False,
                           timeout=TOOL_S)
    if alone.returncode != 0:
        raise Cannot(f"no namespaces to be had here (a container without privileges?): {alone.stderr}")
    KEPT.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(KEPT).free
    if free < FREE_BYTES:
        raise Cannot(f"{free >> 30} GiB free below {KEPT}, {FREE_BYTES >> 30} needed")
    try:
        return args.mirror or private_apt.mirror()
    except cache.SetupError as e:
        raise Cannot(str(e)) from e


def tool(args, deadline_s, what, **kw):
    try:
        return cache.run(args, deadline_s, what, **kw)
    except cache.SetupError as e:
        raise Cannot(str(e)) from e


# --- the root -------------------------------------------------------------------------------------------
def make_root(release, mirror, root, fresh):
    """Unpacks the bare root of a release, which is made first when the cache has none."""
    suite = RELEASES[release]
    kept = KEPT / f"{suite}.tar"
    age_days = (time.time() - kept.stat().st_mtime) / 86400 if kept.exists() else None
    if fresh or age_days is None or age_days > CACHED_DAYS:
        say(f"making a bare root of Debian {release} ({suite}) with debootstrap")
        # debootstrap mounts /proc in it: in namespaces that end with it, however it ends.
        tool([*ALONE, "debootstrap", "--variant=minbase", f"--keyring={private_apt.KEYRING}", suite, root,
              mirror], BOOTSTRAP_S, f"debootstrap of {suite} from {mirror}")
        work = kept.with_suffix(".new")
        tool(["tar", "-C", root, "-cf", work, "."], TAR_S, "keeping the bare root")
        work.replace(kept)
    else:
        say(f"bare root of Debian {release} ({suite}) from the cache, {age_days:.0f} days old")
        tool(["tar", "-C", root, "-xf", kept], TAR_S, f"unpacking {kept}")


def carry(root, mirror, suite):
    """What the machine knows about reaching its mirror, and the committed tree."""
    (root / "etc/apt/sources.list").write_text(f"deb {mirror} {suite} main\n")
    dump = tool(["apt-config", "dump"], TOOL_S, "settings of apt")
    reach = [line for line in dump.splitlines()
             if re.match(r"Acquire::(https?|ftp|Check|Retries|Proxy)", line)]
    (root / "etc/apt/apt.conf.d/99machine").write_text("\n".join(
        [*reach, 'APT::Keep-Downloaded-Packages "1";']) + "\n")
    for name in ("resolv.conf", "hosts"):
        if (Path("/etc") / name).exists():
            shutil.copyfile(Path("/etc") / name, root / "etc" / name)
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")  # also those of a proxy
    if certificates.exists():
        (root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(certificates, root / "etc/ssl/certs/ca-certificates.crt")
    # minbase drops downloaded packages; here they are kept in the cache.
    (root / "etc/apt/apt.conf.d/docker-clean").unlink(missing_ok=True)
    tool(["git", "clone", "-q", "--no-hardlinks", TOP, root / INSIDE], TAR_S, "copy of the tree")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def commands(args):
    """The lines of a shell script, each a goal: its exit status is told in a line of its own."""
    tests = " ".join(filter(None, [args.only and f"--only {args.only}",
                                   args.match and f"--match {args.match}"]))
    goals = {"run": f"make run HTTP_PORT={free_port()} RUN_ARGS=--seconds={RUN_S}",
             "test": f"make test TEST_ARGS='{tests}'"}
    for goal in args.goals.split():
        yield goals.get(goal, f"make -j{os.cpu_count()} {goal}")


def write_script(root, args):
    lines = ["set -e", "export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin CI=true",
             "apt-get -q update", f"apt-get -qy install --no-install-recommends {NEEDED_FIRST}",
             f"cd /{INSIDE}", "failed=0"]
    for command in commands(args):
        lines += [f"echo '[debian] {command.replace(chr(39), '')}'",
                  f"{command} && status=0 || {{ status=$?; failed=1; }}",
                  f"echo \"[debian] ended with status $status: {command.replace(chr(39), '')}\""]
    lines += ["exit $failed"]
    (root / SCRIPT).write_text("\n".join(lines) + "\n")


# Runs in namespaces of its own. $1: the root, $2: its packages, $3: its user's cache.
ENTER = f"""
set -e
mount --bind "$1" "$1" # a root must be a mount
mount -t proc proc "$1/proc"
mount --rbind /sys "$1/sys"
mount -t tmpfs -o mode=755 tmpfs "$1/dev"
for device in {' '.join(DEVICES)}; do
    : > "$1/dev/$device"
    mount --bind "/dev/$device" "$1/dev/$device"
done
mkdir "$1/dev/pts" "$1/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$1/dev/pts"
mount -t tmpfs tmpfs "$1/dev/shm"
ln -s pts/ptmx "$1/dev/ptmx"
ln -s /proc/self/fd "$1/dev/fd"
mkdir -p "$1$HOME/.cache"
mount --bind "$2" "$1/var/cache/apt/archives"
mount --bind "$3" "$1$HOME/.cache"
proxies=$(env | grep -iE '^(https?|no)_proxy=' || true)
# No chroot: in one the kernel makes no user namespaces, which tests/linux/nova.py builds in.
cd "$1"
mkdir -p old-root
pivot_root . old-root
exec /usr/bin/env -i HOME="$HOME" $proxies sh -c 'cd / && umount -l /old-root && exec sh /{SCRIPT}'
"""


def kept_folder(name, fresh, work):
    """A folder of the cache for this, or an empty one that goes with the root."""
    folder = (work if fresh else KEPT) / name
    (folder / "partial").mkdir(parents=True, exist_ok=True)
    return folder


def run_inside(release, work, root, args):
    """(exit status, what was said). Shows it as it comes, and keeps it."""
    suite = RELEASES[release]
    RESULTS.mkdir(parents=True, exist_ok=True)
    log = RESULTS / f"debian-{suite}.log"
    command = [*ALONE, "sh", "-c", ENTER, "sh", root,
               kept_folder(f"{suite}-packages", args.fresh, work),
               kept_folder(f"{suite}-cache", args.fresh, work)]
    said, end = [], time.monotonic() + args.deadline
    with open(log, "w", encoding="utf-8") as copy:
        child = subprocess.Popen([str(c) for c in command], text=True, errors="replace", bufsize=1,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        try:
            signal.signal(signal.SIGALRM, lambda *_: child.kill())
            signal.alarm(max(1, int(end - time.monotonic())))
            for line in child.stdout:
                said.append(line)
                copy.write(line)
                sys.stdout.write(line)
                sys.stdout.flush()
            status = child.wait()
        finally:
            signal.alarm(0)
            if child.poll() is None:
                child.kill()  # the namespace's first process: all others end with it
                child.wait()
    if time.monotonic() >= end:
        said.append(f"not finished after {args.deadline} s, ended\n")
        say(said[-1].strip())
    return status, "".join(said), log


def remove(work):
    """Removes a root, unless something is mounted there after all: that would be removed too."""
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()
               if line.split()[4].startswith(f"{work}/")]
    if mounted:
        say(f"not removed, for something is mounted below it: {work} ({', '.join(mounted)})")
        return
    subprocess.run(["rm", "-rf", "--one-file-system", work], check=False)


def one(release, mirror, args):
    begin = time.monotonic()
    work = Path(tempfile.mkdtemp(prefix="root-", dir=KEPT))
    try:
        root = work / "root"
        root.mkdir()
        make_root(release, mirror, root, args.fresh)
        carry(root, mirror, RELEASES[release])
        write_script(root, args)
        status, text, log = run_inside(release, work, root, args)
    finally:
        if args.keep:
            say(f"kept: {work}")
        else:
            remove(work)
    counts = re.findall(r"^(\d+ passed, \d+ failed)$", text, re.M)
    ended = re.findall(r"^\[debian\] ended with status (\d+): (.*)$", text, re.M)
    for code, command in ended:
        say(f"{'passed' if code == '0' else 'FAILED'}: {command}")
    wanted = len(args.goals.split())
    if len(ended) < wanted and status == 0:
        status = 1
    say(f"all of it: {log}; {time.monotonic() - begin:.0f} s")
    say(f"Debian {release} ({RELEASES[release]}), bare: {counts[-1] if counts else 'no test ran'}"
        f"{'' if status == 0 else '; NOT good'}")
    return 0 if status == 0 else 1


def parse():
    other = {"12": "13", "13": "12"}.get(own_release(), "13")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--release", choices=sorted(RELEASES), default=other,
                        help=f"default {other}: not this machine's")
    parser.add_argument("--goals", default="run test", help="goals of make; default: run test")
    parser.add_argument("--only", default="", help="make test: groups, with commas between")
    parser.add_argument("--match", default="", help="make test: only tests with this in their name")
    parser.add_argument("--fresh", action="store_true", help="without anything from the cache")
    parser.add_argument("--keep", action="store_true", help="leave the root for a look at it")
    parser.add_argument("--deadline", type=int, default=DEADLINE_S, metavar="SECONDS")
    parser.add_argument("--mirror", help="default: the machine's own")
    return parser.parse_args()


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    args = parse()
    signal.signal(signal.SIGTERM, interrupted)
    try:
        mirror = look(args)
        if subprocess.run(["git", "status", "--porcelain"], cwd=TOP, capture_output=True, text=True,
                          check=False, timeout=TOOL_S).stdout:
            say("this tree has changes that are not committed: they are not in the copy")
        return one(args.release, mirror, args)
    except Cannot as e:
        print(f"[debian] cannot: {e}", file=sys.stderr)
        return CANNOT
    except KeyboardInterrupt:
        say("interrupted; everything is unmounted and removed")
        return 130


if __name__ == "__main__":
    sys.exit(main())
