#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A real Prometheus scrapes the appliance: by its own default Accept header the target is up and OpenMetrics is
understood; the expressions of dashboards have data; our own rules and configuration are what promtool wants."""
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

from _harness import TOP, Test, image

sys.path.insert(0, str(TOP / "images"))
from launch import free_port, read_deps  # noqa: E402

FILES = TOP / "docs/monitoring"
TOOL_S, READY_S, SAMPLES_S = 60, 60, 60
# What the panels of NVIDIA's dashboard 12239 ask for, its variables replaced: facts read off its public JSON, in its
# forms of 2020 (instance, gpu) and of Grafana 9 (Hostname). The panels of DCGM_FI_PROF_* need
# profiling, which nobody does here.
PANELS = [
    'DCGM_FI_DEV_GPU_TEMP{instance=~".*", gpu=~"0"}',
    'avg(DCGM_FI_DEV_GPU_TEMP{instance=~".*", gpu=~"0"})',
    'DCGM_FI_DEV_POWER_USAGE{instance=~".*", gpu=~"0"}',
    'sum(DCGM_FI_DEV_POWER_USAGE{instance=~".*", gpu=~"0"})',
    'DCGM_FI_DEV_SM_CLOCK{instance=~".*", gpu=~"0"} * 1000000',
    'DCGM_FI_DEV_GPU_UTIL{instance=~".*", gpu=~"0"}',
    'DCGM_FI_DEV_FB_USED{instance=~".*", gpu=~"0"}',
    'max(DCGM_FI_DEV_GPU_TEMP{Hostname=~"bench-7", gpu=~"0"}) by (Hostname, gpu, uuid)',
    'avg(DCGM_FI_DEV_GPU_TEMP{Hostname=~"bench-7", gpu=~"0"})',
    'max(DCGM_FI_DEV_POWER_USAGE{Hostname=~"bench-7", gpu=~"0"}) by (Hostname, gpu, uuid)',
    'sum(max(DCGM_FI_DEV_POWER_USAGE{Hostname=~"bench-7", gpu=~"0"}) by (gpu))',
    'max(DCGM_FI_DEV_SM_CLOCK{Hostname=~"bench-7", gpu=~"0"} * 1000000) by (Hostname, UUID, gpu)',
    'max(DCGM_FI_DEV_FB_USED{Hostname=~"bench-7", gpu=~"0"}) by (Hostname, gpu, GPU_I_ID, GPU_I_PROFILE)',
    'DCGM_FI_DEV_FB_FREE{Hostname=~"bench-7"}',
    # the names of dcgm-exporter 4.9
    "DCGM_FI_DEV_GPU_TEMP_CELSIUS", "DCGM_FI_DEV_BOARD_POWER_WATTS", "DCGM_FI_DEV_SM_CLOCK_HERTZ",
    "DCGM_FI_DEV_GPU_UTIL_RATIO", "DCGM_FI_DEV_FB_USED_BYTES",
    # histograms and counters as they are used
    "histogram_quantile(0.99, sum by (le) (rate(firstlight_http_request_duration_seconds_bucket[30s])))",
    "rate(firstlight_http_requests_total[30s])",
]


def expressions(dashboard):
    """All of our own dashboard's, with its variables replaced by what matches everything."""
    found = []
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            found.append((panel.get("maybeEmpty", False), re.sub(r"\$\{?\w+(:\w+)?\}?", ".*", target["expr"]
                          .replace("$__rate_interval", "30s").replace("$__range", "30s"))))
    return found


class Prometheus:
    def __init__(self, programs, target, folder):
        self.port = free_port()
        config = Path(folder) / "prometheus.yml"
        text = (FILES / "prometheus.yml").read_text()
        text = re.sub(r"targets: \[.*\]", f"targets: ['{target}']", text).replace("scrape_interval: 10s", "scrape_interval: 1s")
        config.write_text(text)
        (Path(folder) / "alerts.yml").write_text((FILES / "alerts.yml").read_text())
        self.log = open(Path(folder) / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [programs / "prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.log, stderr=self.log)

    def ask(self, path, **params):
        query = urllib.parse.urlencode(params)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}", timeout=TOOL_S) as answer:
            return json.load(answer)["data"]

    def until(self, what, seconds):
        """The first true answer of what(); None when it never comes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if found := what():
                    return found
            except OSError:
                pass  # it does not listen yet
            time.sleep(0.5)
        return None

    def query(self, expression):
        return self.ask("query", query=expression)["result"]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(TOOL_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.seek(0)
        return self.log.read()


def tool(programs, *args, text=None):
    done = subprocess.run([programs / "promtool", *args], input=text, text=True, capture_output=True, timeout=TOOL_S,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def files(t, programs):
    for kind, name in (("rules", "alerts.yml"), ("config", "prometheus.yml")):
        status, said = tool(programs, "check", kind, FILES / name)
        t.ok(f"promtool-{kind}", status == 0 and "SUCCESS" in said, said)
    status, said = tool(programs, "test", "rules", FILES / "alerts-test.yml")
    t.ok("promtool-test-rules", status == 0, said)


def scrape(t, m, p, programs):
    up = p.until(lambda: [x for x in p.ask("targets")["activeTargets"] if x["health"] == "up"], READY_S)
    t.ok("target-up", up and up[0]["lastError"] == "", up or p.ask("targets")["activeTargets"])
    # The samples that Prometheus could not use are counted by itself.
    _, text = m.get("/metrics")
    status, said = tool(programs, "check", "metrics", text=text)
    ours = [line for line in said.splitlines() if line.startswith("firstlight_")]
    t.ok("promtool-metrics", status in (0, 3) and not ours, said)
    metadata = p.until(lambda: p.ask("metadata").get("firstlight_http_request_duration_seconds"), SAMPLES_S)
    t.ok("openmetrics-understood", metadata and metadata[0]["type"] == "histogram" and metadata[0]["unit"] == "seconds",
         metadata)  # text 0.0.4 has no units
    p.until(lambda: p.query("DCGM_FI_DEV_POWER_USAGE") and p.query("rate(firstlight_http_requests_total[30s])"), SAMPLES_S)
    for expression in PANELS:
        t.ok(f"has-data: {expression}", p.query(expression), "empty")
    dashboard = json.loads((FILES / "firstlight-dashboard.json").read_text())
    for may_be_empty, expression in expressions(dashboard):
        found = p.query(expression)
        t.ok(f"ours: {expression}", found or may_be_empty, "empty")
    rules = p.ask("rules")["groups"]
    broken = [r["name"] for g in rules for r in g["rules"] if r["health"] == "err"]
    t.ok("rules-evaluate", rules and not broken, broken)


with Test("prometheus") as test:
    folder = os.environ.get("PROMETHEUS_DIR") or read_deps().get("PROMETHEUS_DIR")
    judges = Path(folder) if folder else None
    if not judges or not (judges / "prometheus").exists():
        print("ok 1 # SKIP the set-up has no Prometheus: make setup", flush=True)
        sys.exit(0)
    files(test, judges)
    conf = "hostname = bench-7\nmetrics_hostname = Hostname\n"
    with tempfile.TemporaryDirectory(prefix="prometheus-") as work:
        with test.machine(image("prometheus", conf)) as machine:
            machine.wait_gpu(deadline_s=60)
            prometheus = Prometheus(judges, f"127.0.0.1:{machine.http_port}", work)
            try:
                scrape(test, machine, prometheus, judges)
            finally:
                log = prometheus.stop()
            complaints = [line for line in log.splitlines() if ("level=error" in line or "level=warn" in line) and "OS signal" not in line]
            test.ok("no-complaints", not complaints, complaints[:5])
