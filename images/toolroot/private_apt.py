# SPDX-License-Identifier: MIT
"""apt-get on a private, empty state, with the machine's own mirror, proxy and credentials: nothing of the
machine's apt set-up is changed, and apt checks the signatures."""
import os
import re
import subprocess
from pathlib import Path

from cache import SetupError, run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SUITE = "trixie"  # where library sources and OVMF come from
BACKPORTS = "trixie-backports"  # QEMU >= 10.1 and the 570.144 firmware
DOWNLOAD_S = 600  # deadline of one download


def mirror():
    """The machine's own Debian mirror: from the lists apt has, else from its source files."""
    found = None
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)",
         "Created-By: Packages"], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        origin, label, uri = line.split("|", 2)
        if origin == label == "Debian":  # leaves out security and third parties
            found = uri
            break
    if not found:
        files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
        text = "\n".join(f.read_text() for f in files if f.is_file())
        match = re.search(r"^(?:URIs:|deb(?:\s+\[[^]]*\])?)\s+(\S+/debian/?)(?:\s|$)", text, re.M)
        found = match.group(1) if match else None
    if found and found.startswith("mirror+file:"):
        lines = Path(found[len("mirror+file:"):].rstrip("/")).read_text().split()
        found = lines[0] if lines else None
    if not found:
        raise SetupError("no Debian mirror in this machine's apt sources (/etc/apt): "
                         "add one, run apt-get update, then make setup")
    return found.rstrip("/")


class Apt:
    """apt-get with a state of its own, on the machine's mirror, proxy and credentials."""

    def __init__(self, folder, lines):
        self.folder = Path(folder)
        for sub in ("lists/partial", "cache/archives/partial"):
            (self.folder / sub).mkdir(parents=True)
        (self.folder / "status").touch()
        uri = mirror()
        self.mirror = uri
        options = f"[arch=amd64 signed-by={KEYRING}]"
        (self.folder / "sources.list").write_text(
            "".join(f"{kind} {options} {uri} {suite}\n" for kind, suite in lines))
        settings = {
            "Dir::Etc::main": "/dev/null", "Dir::Etc::parts": "/dev/null",
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null", "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null", "Dir::State": self.folder,
            "Dir::State::lists": self.folder / "lists",
            "Dir::State::status": self.folder / "status", "Dir::Cache": self.folder / "cache",
            "APT::Architecture": "amd64", "APT::Install-Recommends": "0",
            "APT::Sandbox::User": "", "Debug::NoLocking": "1",
            "Acquire::Languages": "none", "Acquire::http::Timeout": "30",
            "Acquire::https::Timeout": "30", "Acquire::Retries": "3",
        }
        # What the machine says about reaching its mirror (proxy, certificates, frozen archives).
        kept = subprocess.run(["apt-config", "dump"], capture_output=True, text=True,
                              check=False).stdout
        carried = [line for line in kept.splitlines() if line.startswith("Acquire::")
                   and not line.startswith(("Acquire::IndexTargets", "Acquire::Languages",
                                            "Acquire::Changelogs"))]
        (self.folder / "apt.conf").write_text("\n".join(
            carried + [f'{key} "{value}";' for key, value in settings.items()]) + "\n")
        self.env = dict(os.environ, APT_CONFIG=str(self.folder / "apt.conf"), LC_ALL="C")

    def get(self, what, *args, **kw):
        return run(["apt-get", "-q", *args], DOWNLOAD_S, what, env=self.env, **kw)

    def update(self):
        self.get("package index", "update")

    def fetch(self, uri, target, sha256):
        """Downloads one file; apt checks the hash."""
        run(["/usr/lib/apt/apt-helper", "download-file", uri, target, f"SHA256:{sha256}"],
            DOWNLOAD_S, f"download of {os.path.basename(target)}", env=self.env)
