#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns the web page into a C array: web_page.h. Comments and indentation stay out of the image."""
import re
import sys

source, target = sys.argv[1:3]
with open(source, encoding="utf-8") as f:
    text = f.read()
text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.S)
lines = [line.strip() for line in text.splitlines()]
# A line comment would swallow what follows once lines are joined: lines stay lines.
data = "\n".join(line for line in lines if line and not line.startswith("//")).encode()
with open(target, "w", encoding="ascii") as f:
    f.write("/* SPDX-License-Identifier: MIT */\n/* Generated from net/page/. Do not edit. */\n#pragma once\n")
    f.write("static const unsigned char web_page[] = {\n")
    for i in range(0, len(data), 24):
        f.write("    " + " ".join(f"{b}," for b in data[i:i + 24]) + "\n")
    f.write("};\n")
    f.write(f"enum {{ web_page_len = {len(data)} }};\n")
