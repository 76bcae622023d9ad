# SPDX-License-Identifier: MIT
"""How newlib is built for the bare machine: its own configure and make, but only libc, and nothing of
libgloss: what it asks of a system is in arch/x86_64/libc_newlib.c."""
import os
import shutil
import tempfile
from pathlib import Path

# As near to how picolibc is built as newlib can be. The small printf ("nano") is no choice: it knows
# neither %llu nor %zu. Source: newlib 4.5.0, newlib/README, libc/stdio/nano-vfprintf.c, libc/stdlib/nano-mallocr.c.
OPTIONS = [
    # printf: every C99 format except floating point, no multibyte characters, no wide streams
    "--enable-newlib-io-c99-formats", "--enable-newlib-io-long-long", "--disable-newlib-io-float",
    "--disable-newlib-mb", "--disable-newlib-wide-orient", "--disable-newlib-fvwrite-in-streamio",
    "--disable-newlib-fseek-optimization", "--disable-newlib-unbuf-stream-opt",
    # one thread, one small struct _reent, nothing to do at exit; malloc is the large one, because
    # the small one aligns to 8 bytes, and a block on x86-64 has to lie at a multiple of 16
    "--disable-newlib-multithread", "--enable-newlib-reent-small", "--enable-newlib-global-atexit",
    "--disable-newlib-atexit-dynamic-alloc", "--enable-lite-exit",
    # the smallest of its four sets of functions (EL/IX level 1): ISO C and a little of POSIX
    "--enable-newlib-elix-level=1",
    # not even the names of system calls with an underscore: sbrk(), write(), ... are ours
    "--disable-newlib-supplied-syscalls", "--disable-multilib", "--disable-dependency-tracking",
]
CFLAGS = ["-Os", "-g", "-ffreestanding", "-ffunction-sections", "-fdata-sections",
          "-fno-asynchronous-unwind-tables"]
# configure sets what is not named here by the name of the target, which no installed tool bears.
TOOLS = {"AR": "gcc-ar", "AS": "as", "NM": "gcc-nm", "RANLIB": "gcc-ranlib", "READELF": "readelf",
         "MAKEINFO": "true", "CFLAGS": ""}


def build(into, source, cc, cflags, run, deadline_s):
    """Fills the directory: lib/libc.a and include/. run: cache.py's, which raises when one fails."""
    with tempfile.TemporaryDirectory(prefix="firstlight-") as work:
        # The same relative paths on every machine, so that the debug information is the same.
        copy, tree = Path(work) / "newlib", Path(work) / "build"
        copy.symlink_to(source)
        tree.mkdir()
        headers = tree / "targ-include", copy / "newlib/libc/include", Path(
            run([cc, "-print-file-name=include"], deadline_s, "compiler").strip())
        maps = [f"-ffile-prefix-map={work}=libc", f"-ffile-prefix-map={headers[2]}=gcc"]
        command = " ".join([cc, "-nostdinc", *(f"-isystem {h}" for h in headers), *cflags, *CFLAGS, *maps])
        settings = [f"{name}={value}" for name, value in {"CC": command, "CCAS": command, **TOOLS}.items()]
        run(["../newlib/newlib/configure", "--host=x86_64-elf", "--build=x86_64-linux-gnu", *OPTIONS,
             *settings], deadline_s, "configuring newlib", cwd=tree)
        # Not as a part of the make that may have started us.
        env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        run(["make", f"-j{os.cpu_count()}", "libc.a"], deadline_s, "building newlib", cwd=tree, env=env)
        # "make install" would build libm and the manual first.
        (into / "lib").mkdir()
        shutil.copy(tree / "libc.a", into / "lib")
        shutil.copytree(headers[1], into / "include")
        shutil.copytree(headers[0], into / "include", dirs_exist_ok=True)
