# SPDX-License-Identifier: MIT
"""`firstlight`, the client on the host, with the address and the token of a machine."""
import json
import os
import subprocess

from _harness import TOP

PROGRAM = TOP / "build/host/firstlight"
RUN_S = 300
DONE, REFUSED, UNREACHABLE, NEEDS_TOKEN = 0, 1, 3, 4


class Client:
    def __init__(self, machine):
        self.host, self.token = f"127.0.0.1:{machine.http_port}", machine.token()

    def __call__(self, *args, token=None, text=True):
        env = {k: v for k, v in os.environ.items() if not k.startswith("FIRSTLIGHT_")}
        env |= {"FIRSTLIGHT_HOST": self.host, "FIRSTLIGHT_TOKEN": self.token if token is None else token}
        return subprocess.run([PROGRAM, *args], env=env, capture_output=True, text=text, check=False,
                              stdin=subprocess.DEVNULL, timeout=RUN_S)

    def result(self, *args):
        done = self(*args, "--json")
        if done.returncode != DONE:
            raise AssertionError(f"{args}: status {done.returncode}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def rpc(self, method, **params):
        return self.result("rpc", method, json.dumps(params))

    def error(self, method, **params):
        """What a call that fails says."""
        done = self("rpc", method, json.dumps(params), "--json")
        if done.returncode != REFUSED:
            raise AssertionError(f"{method} {params}: status {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr
