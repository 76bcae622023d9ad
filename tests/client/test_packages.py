#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The man page and the completion say what --help says; make install and the Debian packages hold what they
should, the same bytes each time, and what is unpacked runs."""
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from _standin import DONE, TOP, USAGE, main, run

MAKE_S = 300
VERSION = re.search(r"^VERSION := (.+)$", (TOP / "mk/config.mk").read_text(encoding="utf-8"), re.M)[1]
EPOCH = 1700000000
HELP = run("--help").stdout
COMMANDS = re.findall(r"^  ([a-z]+) +\S", HELP.split("Options,")[0], re.M)
OPTIONS = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", HELP.split("Options,")[1], re.M)


def out_of(*command, stdin=None, **more):
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=MAKE_S, **more).stdout


def man(t):
    text = run("man").stdout
    plain = text.replace("\\-", "-")
    t.ok("man.help", len(COMMANDS) >= 15 and len(OPTIONS) >= 15, f"{COMMANDS} {OPTIONS}")
    for command in COMMANDS:
        t.ok(f"man.{command}", re.search(rf"^\.SS {command}\b", plain, re.M), "no section")
    for option in OPTIONS:
        t.ok(f"man.{option}", re.search(rf"^\.B (-\w, )?{option}\b", plain, re.M), "no paragraph")
    t.ok("man.dashes", "--" not in text, "a dash that cannot be copied into a command line")
    t.ok("man.exits", re.findall(r"^\.B (\d)$", plain, re.M) == list("01234"), plain)
    if shutil.which("groff"):
        t.equal("man.groff", out_of("groff", "-man", "-ww", "-Tutf8", "-z", stdin=text), "")


def completion(t):
    script = run("completion").stdout
    t.equal("completion.bash", run("completion", "bash").stdout, script)
    t.ok("completion.zsh", run("completion", "zsh").stdout == "autoload -U +X bashcompinit && bashcompinit\n" + script)
    t.ended("completion.usage", run("completion", "fish"), USAGE, "none for 'fish'")

    def completed(*words):
        line = " ".join(f"'{word}'" for word in words)
        return out_of("bash", "--norc", "-c", f"{script}\nCOMP_WORDS=(firstlight {line})\nCOMP_CWORD={len(words)}\n"
                      "_firstlight\nprintf '%s\\n' \"${COMPREPLY[@]}\"", cwd=TOP).split()

    general = [option for option in OPTIONS if option not in
               ("--output", "--query", "--check", "--interval", "--follow", "--once", "--after", "--kind", "--lines")]
    t.equal("completion.first", sorted(completed("")), sorted(COMMANDS + ["help"] + general))
    for name, words, expected in (
            ("command", ["re"], ["reset", "registers", "report"]), ("argument", ["logs", "i"], ["init", "intr"]),
            ("option", ["events", "--f"], ["--follow"]), ("elsewhere", ["boot", "--f"], []),
            ("behind-option", ["--host", "boot", "lo"], ["logs"]), ("short", ["-o", "boot", "lo"], ["logs"]),
            ("flag", ["--json", "fl"], ["flight"]), ("value", ["--gpu", "b"], []),
            ("file", ["--token-file", "LICEN"], ["LICENSE"]), ("tar", ["decode", "LICEN"], ["LICENSE"]),
            ("names", ["registers", "R"], [])):
        t.equal(f"completion.{name}", completed(*words), expected)


def install(t):
    with tempfile.TemporaryDirectory() as folder:
        said = out_of("make", "--no-print-directory", "install", f"DESTDIR={folder}", "PREFIX=/opt/x", cwd=TOP,
                      env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")})
        root = Path(folder) / "opt/x"
        seen = {str(p.relative_to(folder)): p.stat().st_mode & 0o777 for p in Path(folder).rglob("*") if p.is_file()}
        t.ok("install.files", seen == {
            "opt/x/bin/firstlight": 0o755, "opt/x/bin/gpu-model": 0o755, "opt/x/share/man/man1/firstlight.1": 0o644,
            "opt/x/share/bash-completion/completions/firstlight": 0o644}, f"{seen} {said}")
        t.equal("install.runs", out_of(root / "bin/firstlight", "--version"), f"firstlight {VERSION}\n")
        t.equal("install.man", (root / "share/man/man1/firstlight.1").read_text(encoding="utf-8"), run("man").stdout)


def deb(out, *packages, **env):
    return subprocess.run([sys.executable, TOP / "images/deb.py", "--version", VERSION, "--programs", TOP / "build/host",
                           "--out", out, *packages], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, timeout=MAKE_S,
                          env=os.environ | {"SOURCE_DATE_EPOCH": str(EPOCH)} | env)


FILES = {"firstlight": ["usr/bin/firstlight", "usr/share/bash-completion/completions/firstlight",
                        "usr/share/doc/firstlight/changelog.gz", "usr/share/doc/firstlight/copyright",
                        "usr/share/man/man1/firstlight.1.gz"],
         "firstlight-gpu-model": ["usr/bin/gpu-model", "usr/share/doc/firstlight-gpu-model/changelog.gz",
                                  "usr/share/doc/firstlight-gpu-model/copyright"]}


def packages(t):
    with tempfile.TemporaryDirectory() as folder:
        one, two, root = (Path(folder) / name for name in ("one", "two", "root"))
        done = deb(one)
        made = [Path(line) for line in done.stdout.split()]
        t.ok("deb.made", [p.name.split("_")[0] for p in made] == list(FILES) and done.returncode == 0, done)
        deb(two)
        for path in made:
            package = path.name.split("_")[0]
            t.ok(f"deb.{package}.same", path.read_bytes() == (two / path.name).read_bytes(), "other bytes")
            fields = dict(re.findall(r"^ ?([A-Z][A-Za-z-]+): (.+)$", out_of("dpkg-deb", "-f", path), re.M))
            t.ok(f"deb.{package}.control", fields.get("Package") == package and fields["Version"] == VERSION and
                 fields["Architecture"] == out_of("dpkg", "--print-architecture").strip(), fields)
            needs = ["libc6", "libcurl4", "libjansson4"] if package == "firstlight" else ["libc6"]
            t.ok(f"deb.{package}.depends", all(n in fields.get("Depends", "") for n in needs), fields)
            listed = [line.split() for line in out_of("dpkg-deb", "-c", path).splitlines()]
            t.equal(f"deb.{package}.files", sorted(x[5][2:] for x in listed if x[0][0] == "-"), FILES[package])
            t.ok(f"deb.{package}.owner", all(x[1] == "root/root" for x in listed), listed)
            t.ok(f"deb.{package}.times", {x[3] for x in listed} == {"2023-11-14"}, listed)
            t.ok(f"deb.{package}.modes", all(x[0] in ("drwxr-xr-x", "-rw-r--r--") or
                                             (x[0] == "-rwxr-xr-x" and x[5].startswith("./usr/bin/")) for x in listed),
                 listed)
            subprocess.run(["dpkg-deb", "-x", path, root], check=True)
            subprocess.run(["dpkg-deb", "-e", path, root / "DEBIAN"], check=True)
            t.equal(f"deb.{package}.sums", out_of("md5sum", "--check", "--quiet", "DEBIAN/md5sums", cwd=root), "")
            text = (root / f"usr/share/doc/{package}/copyright").read_text(encoding="utf-8")
            t.ok(f"deb.{package}.copyright", "License: MIT\n Permission is hereby granted" in text and
                 "Copyright: 2026 The Firstlight authors" in text and "\n\n THE" not in text, text)
            if shutil.which("lintian"):
                t.equal(f"deb.{package}.lintian", out_of("lintian", "--fail-on", "error", path), "")
        t.equal("deb.runs", out_of(root / "usr/bin/firstlight", "--version"), f"firstlight {VERSION}\n")
        t.ok("deb.model-runs", "ga102" in (said := out_of(root / "usr/bin/gpu-model", "--list-chips")), said)
        page = gzip.decompress((root / "usr/share/man/man1/firstlight.1.gz").read_bytes()).decode()
        t.equal("deb.man", page, run("man").stdout)
        t.ok("deb.other-time", deb(two, "firstlight", SOURCE_DATE_EPOCH="5").returncode == DONE and
             made[0].read_bytes() != (two / made[0].name).read_bytes(), "the time is not in it")
        for name, args, env, words in (("unknown", ["x"], {}, "no package x"),
                                       ("time", [], {"SOURCE_DATE_EPOCH": "x"}, "seconds since 1970")):
            done = deb(two, *args, **env)
            t.ok(f"deb.{name}", done.returncode != 0 and words in done.stderr, done.stderr)


if __name__ == "__main__":
    sys.exit(main("packages", man, completion, install, packages))
