#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The live page, put together: index.html with page.css, the scripts and links.html where they are named.

    gen.py FOLDER TARGET   as C arrays: the page, compressed, with its policy and its tag; and the plain page
                           for who does not take gzip
    gen.py FOLDER -        as JSON on standard output, for tests: {"html":, "policy":, "plain":}

Comments and indentation stay out of the image. The policy lets run what has the right hash, so that
nothing that got into the page by another way does. The output depends on the input only.
"""
import base64
import hashlib
import json
import re
import sys
import zlib
from pathlib import Path

GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"  # RFC 1952: deflate, no name, no time, smallest, unknown system
POLICY = ("default-src 'none'; connect-src 'self'; style-src {style}; script-src {script}; img-src data:; "
          "form-action 'none'; base-uri 'none'; frame-ancestors 'none'")


def bare_html(text):
    """Without comments, indentation and empty lines."""
    lines = [line.strip() for line in re.sub(r"<!--.*?-->", "", text, flags=re.S).splitlines()]
    return "\n".join(line for line in lines if line)


def bare_css(text):
    """Nothing of ours has braces, semicolons or commas in a string."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r";}", "}", re.sub(r"\s*([{};,>])\s*|(:) ", r"\1\2", text))


# What is taken whole: comments, strings, regular expressions (after what cannot end an operand), words.
JS_TOKEN = re.compile(r"""(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<regex>(?<=[(,=:?&|!{;\n])\s*/(?![*/])(?:\\.|\[(?:\\.|[^]\\])*\]|[^/\\\n])+/[a-z]*)|(?P<space>\s+)|(?P<word>[\w$]+)|(?P<other>.)""", re.S | re.X)


def js_tokens(text, at, end):
    """(kind, text) up to end, which is "" or the brace that closes a template's expression."""
    depth = 0
    while at < len(text):
        if text[at] == "`":
            piece, at = js_template(text, at)
            yield "string", piece
            continue
        m = JS_TOKEN.match(text, at)
        if end and m[0] == "}" and depth == 0:
            break
        depth += (m[0] == "{") - (m[0] == "}")
        at = m.end()
        yield m.lastgroup, m[0].strip() if m.lastgroup == "regex" else m[0]
    yield "end", at


def js_template(text, start):
    """A template from its backquote on: (as it is, but for the expressions in it; where it ends)."""
    at, out = start + 1, "`"
    while text[at] != "`":
        if text[at] == "\\":
            out, at = out + text[at:at + 2], at + 2
        elif text.startswith("${", at):
            inner, at = squeeze(text, at + 2, "}")
            out, at = out + "${" + inner + "}", at + 1
        else:
            out, at = out + text[at], at + 1
    return out + "`", at + 1


def squeeze(text, at=0, end=""):
    """(JavaScript without comments and blanks that mean nothing, where it ended). Lines end where they did,
    unless what stands there says by itself that it goes on."""
    out, blank = "", ""
    for kind, piece in js_tokens(text, at, end):
        if kind == "end":
            return out, piece
        if kind in ("space", "comment"):
            blank = "\n" if "\n" in blank + piece else " "
            continue
        words = re.match(r"[\w$]", piece) and re.search(r"[\w$]$", out)
        if blank and (words or out[-1:] + piece[:1] in ("++", "--")):
            out += blank
        elif blank == "\n" and out and out[-1] not in "{;,(=?:&|>" and piece[0] not in "}.,;)?:&|":
            out += "\n"
        out, blank = out + piece, ""


def bare(name, text):
    return {"css": bare_css, "js": lambda t: squeeze(t)[0]}[name.rsplit(".", 1)[1]](text)


def with_links(folder, name):
    links = (folder / "links.html").read_text(encoding="utf-8")
    return (folder / name).read_text(encoding="utf-8").replace("<!-- links.html -->", links)


def compose(folder):
    """The whole page as text."""
    folder = Path(folder)
    html = with_links(folder, "index.html")
    parts = {}

    def put(match):
        key = f"@{len(parts)}@"
        parts[key] = "\n".join(bare(name, (folder / name).read_text(encoding="utf-8")) for name in match[1].split())
        return key

    html = bare_html(re.sub(r"^/\* ([\w. ]+) \*/$", put, html, flags=re.M))
    for key, text in parts.items():
        html = html.replace(key, text)
    return html + "\n"


def plain(folder):
    """The page for who does not take gzip: links."""
    return bare_html(with_links(Path(folder), "plain.html")) + "\n"


def hash_of(html, tag):
    """As a policy names it: CSP level 3, section 2.3.1."""
    inside = re.findall(rf"<{tag}>(.*?)</{tag}>", html, flags=re.S)
    assert len(inside) == 1, f"one <{tag}>, not {len(inside)}"
    return "'sha256-" + base64.b64encode(hashlib.sha256(inside[0].encode()).digest()).decode() + "'"


def policy(html):
    return POLICY.format(style=hash_of(html, "style"), script=hash_of(html, "script"))


def gzipped(data):
    """RFC 1952, the same on every machine with the same zlib."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = squeeze.compress(data) + squeeze.flush()
    return GZIP_HEAD + body + zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")


def array(name, data):
    lines = [f"static const unsigned char {name}[] = {{"]
    lines += ["    " + " ".join(f"{b}," for b in data[i:i + 24]) for i in range(0, len(data), 24)]
    return "\n".join([*lines, "};", f"enum {{ {name}_len = {len(data)} }};", ""])


def header(html, text):
    data = gzipped(html.encode())
    return ("/* SPDX-License-Identifier: MIT */\n/* Generated from net/page/. Do not edit. */\n#pragma once\n"
            f"#define WEB_PAGE_POLICY \"{policy(html)}\"\n"
            f"#define WEB_PAGE_ETAG \"\\\"{hashlib.sha256(data).hexdigest()[:16]}\\\"\"\n"
            + array("web_page_gzip", data) + array("web_page_plain", text.encode()))


if __name__ == "__main__":
    source, target = sys.argv[1:3]
    page = compose(source)
    if target == "-":
        json.dump({"html": page, "policy": policy(page), "plain": plain(source)}, sys.stdout)
    else:
        Path(target).write_text(header(page, plain(source)), encoding="ascii")
