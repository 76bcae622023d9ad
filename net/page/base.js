// SPDX-License-Identifier: MIT
// What all parts use: elements, words for numbers, copying, and the ways to ask the appliance.
"use strict";
const $ = id => document.getElementById(id);

// ---- elements: text of strangers goes in as text only

function el(tag, text, cls) {
    const e = document.createElement(tag);
    if (text !== undefined) e.textContent = text;
    if (cls) e.className = cls;
    return e;
}
function box(tag, cls, ...children) {
    const e = el(tag, undefined, cls);
    e.append(...children);
    return e;
}
function button(text, then, cls) {
    const b = el("button", text, cls);
    b.type = "button";
    b.addEventListener("click", then);
    return b;
}
function anchor(text, href, download) {
    const a = el("a", text);
    a.href = href;
    if (download) a.download = download;
    return a;
}
// Writes only what differs: what the reader has selected stays selected. text undefined: only the class.
function say(e, text, cls = e.className) {
    if (text !== undefined && e.textContent !== String(text)) e.textContent = text;
    if (e.className !== cls) e.className = cls;
}
function show(e, yes) {
    if (e.hidden === Boolean(yes)) e.hidden = !yes;
}
// Children of box become items, by their key; those that stay are not touched but by fill.
function sync(box, items, make, fill) {
    const keys = new Set(items.map(i => i.key)),
        old = new Map(),
        focus = document.activeElement;
    for (const e of [...box.children])
        if (keys.has(e.dataset.key)) old.set(e.dataset.key, e);
        else e.remove();
    let at = box.firstElementChild;
    for (const item of items) {
        let e = old.get(item.key);
        if (!e) {
            e = make(item);
            e.dataset.key = item.key;
        }
        if (e === at) at = at.nextElementSibling;
        else box.insertBefore(e, at);
        fill(e, item);
    }
    // What was moved has lost the focus.
    if (focus && focus !== document.activeElement && box.contains(focus)) focus.focus();
}
function row(cells, tag = "td") {
    const tr = el("tr");
    for (const c of cells) {
        const n = typeof c === "object" && c && "n" in c;
        const td = el(tag, n ? c.n : undefined, n ? "n" : "");
        if (tag === "th") td.scope = "col";
        if (!n) td.append(c instanceof Node ? c : (c ?? ""));
        tr.append(td);
    }
    return tr;
}
// A table of rows {key, cells}, in place. heads: as for row().
function table(t, heads, rows) {
    if (!t.children.length) {
        t.append(el("thead"), el("tbody"));
        t.children[0].append(row(heads, "th"));
    }
    sync(
        t.children[1],
        rows,
        r => row(heads.map(h => (typeof h === "object" ? { n: "" } : ""))),
        (tr, r) => r.cells.forEach((c, i) => say(tr.children[i], c ?? ""))
    );
}
// Facts [[name, value, copy]] as a list of terms, in place; those without a value stay away.
function facts(dl, pairs) {
    sync(
        dl,
        pairs.filter(p => p[1]).map(([key, text, copy]) => ({ key, text, copy })),
        f => {
            const dd = box("dd", "", el("span")),
                d = box("div", "", el("dt", f.key), dd);
            if (f.copy) dd.append(copyButton(f.key, () => dd.children[0].textContent));
            return d;
        },
        (d, f) => say(d.children[1].children[0], f.text)
    );
}

// ---- words for numbers

const hex = n => "0x" + n.toString(16);
const count = (n, one, more = one + "s") => `${n} ${n === 1 ? one : more}`;
function size(n) {
    let i = 0;
    for (; n >= 1024 && i < 3; i++) n /= 1024;
    return `${Number.isInteger(n) ? n : n.toFixed(2)} ${["B", "KiB", "MiB", "GiB"][i]}`;
}
function time(us) {
    if (us < 1000) return `${us} \u00b5s`;
    return us < 1e6
        ? `${(us / 1000).toFixed(us < 1e4 ? 2 : us < 1e5 ? 1 : 0)} ms`
        : `${(us / 1e6).toFixed(us < 1e7 ? 2 : 1)} s`;
}
// A span of time in one or two units: 42 s, 3 min 5 s, 2 h 7 min, 4 d 3 h.
function span(s) {
    s = Math.max(0, Math.floor(s));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

// ---- copying: a page that came over plain HTTP may not use navigator.clipboard

async function copyText(text) {
    try {
        await navigator.clipboard.writeText(text);
        return true;
    } catch (e) {
        const focus = document.activeElement,
            t = el("textarea", text, "away"),
            at = document.querySelector("dialog[open]") ?? document.body;
        t.setAttribute("readonly", "");
        at.append(t);
        t.select();
        let done = false;
        try {
            done = document.execCommand("copy");
        } catch (x) {
            done = false;
        }
        t.remove();
        if (focus) focus.focus();
        return done;
    }
}
// what: words for who cannot see what the button stands beside. text: gives what is copied.
function copyButton(what, text, label = "Copy") {
    const b = button(
        label,
        async () => {
            const done = await copyText(text());
            say(b, done ? "Copied" : "Select it by hand");
            announce(done ? what + " copied" : what + " could not be copied");
            setTimeout(() => say(b, label), 1500);
        },
        "copy"
    );
    b.setAttribute("aria-label", `${label} ${what}`);
    return b;
}
// For screen readers only; once.
function announce(text) {
    $("said").textContent = text;
}

// ---- asking

// Characters that act instead of being seen are shown by their numbers: controls, and what turns the
// direction of writing (Unicode UAX 9), or a name could make the words behind it read otherwise.
const ACTING = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const seen = text => text.replace(ACTING, c => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
const parse = text => JSON.parse(text, (_, v) => (typeof v === "string" ? seen(v) : v));

let token = "";
const TOKEN_SHAPE = /^[!-~]+$/;
const NO_ANSWER = "no answer from the appliance";
function headers(more = {}) {
    return token ? { ...more, Authorization: "Bearer " + token } : more;
}
async function get(path, timeout_ms = 5000) {
    try {
        const res = await fetch(path, {
            headers: headers(),
            cache: "no-store",
            signal: AbortSignal.timeout(timeout_ms)
        });
        return { status: res.status, text: await res.text() };
    } catch (e) {
        throw new Error(NO_ANSWER);
    }
}
const call = (id, method, params) => ({ jsonrpc: "2.0", id, method, params });
// The answer of /rpc; what went wrong is thrown, in words.
async function post(body, timeout_ms = 10000) {
    const sent = token;
    let res, text;
    try {
        res = await fetch("/rpc", {
            method: "POST",
            headers: headers({ "Content-Type": "application/json" }),
            body: JSON.stringify(body),
            signal: AbortSignal.timeout(timeout_ms)
        });
        text = await res.text();
    } catch (e) {
        throw new Error(NO_ANSWER);
    }
    if (res.status === 401 && sent === token) setToken(""); // the wrong one: it is asked for again
    try {
        return parse(text);
    } catch (e) {
        throw new Error(`status ${res.status}: ${seen(text.slice(0, 200)) || "an empty answer"}`);
    }
}
function result(a) {
    if (a && "result" in a) return a.result;
    const e = a && a.error;
    if (e) throw new Error(e.message + (e.data && e.data.hint ? `. Try: ${e.data.hint}` : ""));
    throw new Error(a && a.title ? `${a.title}: ${a.detail}` : "an answer that is none");
}
async function rpc(method, params, timeout_ms) {
    return result(await post(call(1, method, params), timeout_ms));
}

// ---- what is known, for all parts

let gpus = [];
// The select of a GPU that several sections have; all: a word for all of them, where that is a choice.
function fillGpus(select, all) {
    sync(
        select,
        [
            ...(all ? [{ key: "", text: all }] : []),
            ...gpus.map(g => ({
                key: String(g.index),
                text: `${g.index}: ${g.name || g.chip || "GPU"} at ${g.pci.address}`
            }))
        ],
        i => {
            const o = el("option");
            o.value = i.key;
            return o;
        },
        (o, i) => say(o, i.text)
    );
    show(select.parentElement, gpus.length > 1);
}
const chosenOf = select => gpus.find(g => String(g.index) === select.value) ?? gpus[0];
