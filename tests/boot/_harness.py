# SPDX-License-Identifier: MIT
"""What the boot tests share: images, a machine, and "ok NAME" lines.

    with Test("boot") as t:
        with t.machine(image("plain")) as m:
            t.ok("answers", m.get("/healthz")[0] == 200, "...")

A test that raises is a failure like any other and shows the end of the serial log.
"""
import sys
import time
import traceback
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "images"))
import launch  # noqa: E402

IMAGES = TOP / "build/test-images"
RESULTS = TOP / "build/test-results"
FW_VERSION = "570.144"


def image(name, conf_text=None, **options):
    """A disk image of this name. conf_text: the text of its firstlight.conf."""
    if conf_text is not None:
        IMAGES.mkdir(parents=True, exist_ok=True)
        conf = IMAGES / f"{name}.conf"
        conf.write_text(conf_text)
        options["conf"] = conf
    return launch.make_image(IMAGES / f"{name}.img", **options)


class Test:
    """Counts checks and says how they ended; the exit status of the program."""

    def __init__(self, name):
        self.name, self.failed, self.done = name, 0, 0
        self.last_machine = None

    def ok(self, name, condition, reason=""):
        self.done += 1
        if condition:
            print(f"ok {self.name}.{name}", flush=True)
        else:
            self.failed += 1
            text = " ".join(str(reason).split())
            print(f"not ok {self.name}.{name}: {text or 'it is not so'}", flush=True)
        return bool(condition)

    def equal(self, name, seen, expected):
        return self.ok(name, seen == expected, f"seen {seen!r}, expected {expected!r}")

    def holds(self, name, text, *parts):
        """All parts are in the text."""
        missing = [p for p in parts if p not in text]
        return self.ok(name, not missing, f"{missing} not in: {text[:600]}")

    def note(self, text):
        print(f"# {self.name}: {text}", flush=True)

    def machine(self, disk, **options):
        self.last_machine = launch.Machine(disk, record=RESULTS / self.name, **options)
        return self.last_machine

    def __enter__(self):
        self.begin = time.monotonic()
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None and issubclass(kind, Exception):
            self.ok("runs", False, f"{kind.__name__}: {error}")
            traceback.print_exception(kind, error, trace)
            if self.last_machine:
                print("--- end of the serial log\n" + self.last_machine.serial[-3000:])
        elif kind is not None:
            return False
        self.note(f"{self.done - self.failed} of {self.done} in {time.monotonic() - self.begin:.1f} s")
        sys.exit(1 if self.failed or not self.done else 0)
