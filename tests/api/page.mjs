// SPDX-License-Identifier: MIT
// The script of the live page, run on a document made here that knows text only. Prints a line for each case that fails; the exit status says whether there was one.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import vm from "node:vm";

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), "../../net/page");
const page = JSON.parse(execFileSync("python3", [join(FOLDER, "gen.py"), FOLDER, "-"], { maxBuffer: 1 << 24 })).html;
const script = page.match(/<script>([\s\S]*)<\/script>/)[1];
const ids = [...page.matchAll(/ id="(\w+)"/g)].map(m => m[1]);
const HOSTILE = `<img src=x onerror=alert(1)>"'&`;
const MIB = 2 ** 20, GIB = 2 ** 30;

// ---- a document

class Element {
    constructor(tag) {
        Object.assign(this, { tag, children: [], text: "", parent: null, dataset: {}, style: {}, attributes: {},
                              listeners: {}, className: "", value: "", title: "", writes: 0, hidden: false });
    }
    get textContent() { return this.text + this.children.map(c => c.textContent).join(""); }
    set textContent(text) { this.writes++; this.children = []; this.text = String(text); }
    get parentElement() { return this.parent ?? (this.orphan ??= new Element("orphan")); }
    get firstElementChild() { return this.children[0] ?? null; }
    get nextElementSibling() { return this.parent?.children[this.parent.children.indexOf(this) + 1] ?? null; }
    contains(e) { return e === this || this.children.some(c => c.contains(e)); }
    setAttribute(name, value) { this.attributes[name] = value; }
    addEventListener(name, then) { this.listeners[name] = then; }
    remove() {
        if (this.parent) this.parent.children = this.parent.children.filter(c => c !== this);
        this.parent = null;
        if (document.activeElement === this) document.activeElement = null;
    }
    insertBefore(child, before) {
        child.remove();
        child.parent = this;
        this.children.splice(before ? this.children.indexOf(before) : this.children.length, 0, child);
    }
    append(...all) {
        for (const a of all) {
            const child = a instanceof Element ? a : Object.assign(new Element("#text"), { text: String(a) });
            this.insertBefore(child, null);
        }
    }
    prepend(child) { this.insertBefore(child, this.firstElementChild); }
    replaceChildren(...all) { for (const c of [...this.children]) c.remove(); this.append(...all); }
    focus() { document.activeElement = this; this.listeners.focus?.(); }
}
for (const sink of ["innerHTML", "outerHTML", "insertAdjacentHTML"]) {
    Object.defineProperty(Element.prototype, sink, { set() { throw new Error(`${sink} is written`); },
                                                     get() { throw new Error(`${sink} is used`); } });
}

let document;
// The page just loaded, and what it asks for.
function load(answers = {}) {
    const elements = Object.fromEntries(ids.map(id => [id, new Element(id)]));
    document = { hidden: false, activeElement: null, listeners: {}, getElementById: id => elements[id], body: new Element("body"), documentElement: new Element("html"),
                 createElement: tag => new Element(tag), createElementNS: (_, tag) => new Element(tag), querySelector: () => null, querySelectorAll: () => [],
                 addEventListener(name, then) { this.listeners[name] = then; } };
    const asked = [];
    async function fetch(path, options) {
        if (path !== "/rpc") return new Promise(() => {}); // status, events, log: never answered here
        if (answers.down) throw new TypeError("Failed to fetch");
        const body = JSON.parse(options.body);
        asked.push({ body, headers: options.headers });
        const one = call => ({ jsonrpc: "2.0", id: call.id, ...answers[call.method](call.params) });
        const text = answers.raw ?? JSON.stringify(Array.isArray(body) ? body.map(one) : one(body));
        return { status: answers.status ?? 200, text: async () => text };
    }
    const timers = [];
    let timer = 0;
    const context = vm.createContext({ document, Node: Element, fetch, AbortSignal, AbortController, TextDecoderStream, URLSearchParams, console, timers, performance,
        location: { hostname: "bench", origin: "http://bench", search: "", pathname: "/" }, history: { replaceState() {} }, navigator: {}, setInterval() {},
        getSelection: () => ({ isCollapsed: true }), setTimeout(then, ms) { timers.push({ then, ms, id: ++timer }); return timer; },
        clearTimeout(id) { const i = timers.findIndex(t => t.id === id); if (i >= 0) timers.splice(i, 1); } });
    context.window = context;
    vm.runInContext(script, context);
    return { ...elements, asked, timers, run: text => vm.runInContext(text, context),
             call: (name, ...args) => vm.runInContext(name, context)(...args) };
}
const plain = value => JSON.parse(JSON.stringify(value));
const at = (base, bytes) => ({ address: `0x${base.toString(16)}`, bytes });

// ---- answers

const GPU = { index: 0, name: HOSTILE, chip: "ga102", state: HOSTILE, pci: { address: "0000:01:00.0" },
              vram: { bytes: 0, regions: [], wpr2: { lo: 0, hi: 0 } } };
const OBJECT = { object: 7, bytes: 3 * MIB, uses: 1, pinned: false, evicted: false, extent_count: 2,
                 extents: [at(GIB, 2 * MIB), at(2 * GIB, MIB)] };
const STATS = { managed: true, total_bytes: 4 * GIB, free_bytes: 3 * GIB, largest_free_bytes: GIB, objects: 1,
                object_bytes: 3 * MIB, evicted_bytes: 0, address_spaces: 1, page_table_bytes: 8192,
                zones: [{ name: "usable", total_bytes: 4 * GIB, free_bytes: 3 * GIB }],
                map: [{ address: "0x0", bytes: "0x1000", zone: HOSTILE },
                      { address: "0x1000", bytes: "0xfffff000", zone: "usable" }],
                free_blocks_by_order: [2, 0, 1] };
const WALK = { va: "0x10000", end: "mapped", reason: null, shadow_agrees: true, address: "0x5e8000000", page: "64K",
               aperture: "video memory", read_only: true, volatile: false, privileged: false, kind: 0,
               levels: [{ name: "PD0", table: "0x1000", index: 3, entry_at: "0x1030", entry: ["0x1", HOSTILE] },
                        { name: "PT64K", table: "0x2000", index: 1, entry_at: "0x2008", entry: ["0x41"] }] };
const answers = () => ({ "memory.stats": () => ({ result: STATS }), "memory.list": () => ({ result: [OBJECT] }),
                         "vm.walk": () => ({ result: WALK }) });
const know = (p, all) => p.call("(all) => { gpus = all; fillGpus($('mgpu')); }", all);
// The page with the section open.
function opened(more = {}, gpu = GPU) {
    const p = load({ ...answers(), ...more });
    know(p, [gpu]);
    p.memory.open = true;
    return p;
}
async function walked(p, token, session, vm_, va) {
    p.call("setToken", token);
    Object.assign(p.wsession, { value: session });
    Object.assign(p.wvm, { value: vm_ });
    Object.assign(p.wva, { value: va });
    await p.walk.listeners.submit({ preventDefault() {} });
    return p.wend.textContent;
}

// ---- cases

const cases = {
    "size: exact where it can be"() {
        const p = load();
        const said = [0, 1023, 4096, 3 * MIB + 4096, 64 * MIB, 24 * GIB, 2048 * GIB].map(n => p.call("size", n));
        assert.deepEqual(said, ["0 B", "1023 B", "4 KiB", "3.00 MiB", "64 MiB", "24 GiB", "2048 GiB"]);
    },
    "layout: all of it, to scale, nothing too thin"() {
        const p = load();
        for (const sizes of [[1], [1, 1], [1, 1e9], [1e9, 1, 1, 1e9], [0, 5], Array(96).fill(1).concat(1e10),
                             [1, 100, 100, 12000], [3, 4, 5, 1e6]]) {
            const widths = plain(p.call("layout", sizes)), least = Math.min(0.8, 50 / sizes.length);
            assert.ok(Math.abs(widths.reduce((a, b) => a + b) - 100) < 1e-6, `${sizes}: ${widths}`);
            assert.ok(widths.every(w => w >= least - 1e-9), `${sizes}: ${widths}`);
            const large = widths.map((w, i) => w > least + 1e-9 ? w / sizes[i] : 0).filter(Boolean);
            assert.ok(large.every(l => Math.abs(l / large[0] - 1) < 1e-6), `${sizes}: ${widths}`);
        }
    },
    "place: an address on the widened map"() {
        const p = load();
        const spans = p.call("laid", [{ base: 0, bytes: 4096 }, { base: 4096, bytes: GIB }]);
        const [first, second] = plain(spans);
        assert.equal(p.call("place", spans, 2048), first.width / 2);
        assert.equal(p.call("place", spans, 4096), first.width);
        assert.equal(p.call("place", spans, 4096 + GIB / 2), first.width + second.width / 2);
        assert.equal(p.call("place", spans, 4096 + GIB), 100);
    },
    "memory that nobody used: from the status, without gaps"() {
        const p = load();
        const region = (base, limit, more) => ({ base, limit, reserved: 0, compressed: true, protected: false, ...more });
        const spans = plain(p.call("fromStatus", { bytes: 1000, wpr2: { lo: 800, hi: 900 }, regions: [
            region(100, 499), region(500, 949, { reserved: 250 }), region(950, 979, { protected: true }),
            region(980, 989, { compressed: false })] }));
        assert.deepEqual(spans.map(s => [s.base, s.bytes, s.zone]), [
            [0, 100, "unknown"], [100, 600, "usable"], [700, 100, "rm-reserved"], [800, 100, "wpr"],
            [900, 50, "rm-reserved"], [950, 40, "unusable"], [990, 10, "unknown"]]);
        assert.deepEqual(plain(p.call("fromStatus", GPU.vram)), []);
    },
    async "the map is drawn: zones, pieces, words, table, legend"() {
        const p = opened();
        await p.run("memory()");
        assert.deepEqual(plain(p.asked.map(a => a.body.map(c => [c.method, c.params]))),
                         [[["memory.stats", { gpu: 0 }], ["memory.list", { gpu: 0 }]]]);
        assert.equal(p.asked[0].headers.Authorization, undefined);
        const map = p.mmap.children;
        assert.deepEqual(map.map(b => b.className),
                         ["piece z-unknown", "piece z-usable", "piece object", "piece object"]);
        assert.equal(map[2].title, "0x40000000 to 0x401fffff, 2 MiB: object 7, 3 MiB, mapped 1 time, piece 1 of 2");
        assert.equal(map[2].attributes["aria-label"], map[2].title);
        assert.ok(map[0].title.endsWith(`zone ${HOSTILE}`));
        assert.match(p.mwords.textContent, /^3 GiB of 4 GiB is free for objects, the largest piece 1 GiB\. 1 object of 3 MiB; page tables take 8 KiB for 1 address space/);
        assert.equal(p.mblocks.textContent, "Free blocks: 1 of 16 KiB, 2 of 4 KiB.");
        assert.equal(p.mrows.children.length, 4);
        assert.deepEqual(p.mrows.children[3].children.slice(0, 3).map(c => c.textContent),
                         ["0x80000000", "0x800fffff", "1 MiB"]);
        assert.equal(p.mlegend.children[0].textContent, `${HOSTILE} 4 KiB`);
        assert.equal(p.mlegend.children[1].textContent, "usable (for objects) 4.00 GiB, 3 GiB free");
    },
    async "an evicted object is in the table only, pieces not told are said"() {
        const p = opened({ "memory.list": () => ({ result: [{ ...OBJECT, evicted: true, extents: [], extent_count: 0 },
                                                            { ...OBJECT, object: 8, extent_count: 9 }] }) });
        await p.run("memory()");
        assert.equal(p.mmap.children.length, 4);
        assert.deepEqual(p.mrows.children.at(-1).children.map(c => c.textContent),
                         ["in RAM", "", "3 MiB", "object 7, 3 MiB, mapped 1 time, evicted to RAM"]);
        assert.ok(p.mmap.children[3].title.endsWith("piece 2 of 9; the others are not told"));
        assert.ok(!p.mmap.children[2].title.includes("told"));
        assert.equal(p.mlegend.children[2].textContent, "objects 3 MiB");
    },
    async "drawn again in place: focus stays, what has gone goes, what is the same is not written"() {
        let list = [OBJECT, { ...OBJECT, object: 8, extents: [at(3 * GIB, MIB)], extent_count: 1 }];
        const p = opened({ "memory.list": () => ({ result: list }) });
        await p.run("memory()");
        const kept = p.mmap.children.at(-1), cell = p.mrows.children.at(-1).children[3], writes = cell.writes;
        kept.focus();
        assert.equal(p.mwhat.textContent, kept.title);
        list = [{ ...list[1] }, { ...OBJECT, object: 9, extents: [at(MIB, MIB)], extent_count: 1 }];
        await p.run("memory()");
        assert.equal(p.mmap.children.at(-1), kept);
        assert.equal(document.activeElement, kept);
        assert.equal(p.mrows.children.at(-1).children[3], cell);
        assert.equal(cell.writes, writes);
        assert.deepEqual(p.mmap.children.map(c => c.dataset.key), ["z0", "z4096", "o9.0", "o8.0"]);
        list = [{ ...list[0], uses: 5 }];
        await p.run("memory()");
        assert.match(p.mwhat.textContent, /mapped 5 times/);
    },
    async "one tab stop; arrow keys move along the map"() {
        const p = opened();
        await p.run("memory()");
        const map = p.mmap.children;
        const key = name => p.mmap.listeners.keydown({ key: name, preventDefault() {} });
        assert.equal(map[0].tabIndex, 0);
        map[0].focus();
        for (const [name, to] of [["ArrowRight", 1], ["End", 3], ["ArrowRight", 3], ["ArrowLeft", 2], ["Home", 0], ["ArrowLeft", 0], ["x", 0]]) {
            key(name);
            assert.equal(map.indexOf(document.activeElement), to, name);
            assert.deepEqual(map.map(b => b.tabIndex), map.map((_, i) => i === to ? 0 : -1), name);
        }
    },
    async "nothing is asked while the section is closed or the page hidden"() {
        const p = opened();
        p.memory.open = false;
        p.memory.listeners.toggle();
        p.memory.open = true;
        document.hidden = true;
        await document.listeners.visibilitychange();
        assert.equal(p.asked.length, 0);
        document.hidden = false;
        await document.listeners.visibilitychange();
        assert.equal(p.asked.length, 1);
        assert.equal(p.timers.at(-1).ms, 3000);
    },
    async "not two questions at once, and the next one soon when another GPU is chosen"() {
        const p = opened();
        know(p, [GPU, { ...GPU, index: 1 }]);
        assert.equal(p.mgpu.parentElement.hidden, false);
        assert.ok(p.mgpu.children[0].textContent.includes(HOSTILE));
        p.mgpu.value = "0";
        const first = p.run("memory()");
        p.mgpu.value = "1";
        await p.mgpu.listeners.change();
        await first;
        assert.equal(p.asked.length, 1);
        assert.equal(p.timers.at(-1).ms, 0);
        await p.timers.at(-1).then();
        assert.equal(p.asked[1].body[0].params.gpu, 1);
    },
    async "a long list is asked for in parts"() {
        const part = (from, n) => Array.from({ length: n }, (_, i) => ({ ...OBJECT, object: from + i, extents: [], extent_count: 0 }));
        const p = opened({ "memory.list": ({ after = 0 }) => ({ result: part(after + 1, after ? 3 : 256) }),
                           "memory.stats": () => ({ result: { ...STATS, objects: 300 } }) });
        await p.run("memory()");
        assert.equal(p.asked[1].body.params.after, 256);
        assert.match(p.mwords.textContent, /300 objects of 3 MiB, 259 shown/);
    },
    async "not managed: what the status says, or that it says nothing"() {
        const unused = { "memory.stats": () => ({ result: { ...STATS, managed: false, map: [] } }), "memory.list": () => ({ result: [] }) };
        let p = opened(unused);
        await p.run("memory()");
        assert.equal(p.mwords.textContent, `Nothing is known of this GPU's memory yet: it is ${HOSTILE}.`);
        assert.equal(p.mmap.hidden, true);
        p = opened(unused, { ...GPU, vram: { bytes: GIB, regions: [], wpr2: { lo: MIB, hi: 2 * MIB } } });
        await p.run("memory()");
        assert.match(p.mwords.textContent, /^Nobody has used this memory/);
        assert.deepEqual(p.mmap.children.map(c => c.dataset.key), ["z0", "z1048576", "z2097152"]);
    },
    async "what goes wrong is said, and it asks again"() {
        const saying = { message: HOSTILE, data: { hint: "boot it" } };
        for (const [more, said] of [
            [{ "memory.stats": () => ({ error: saying }) }, `GPU 0: ${HOSTILE}. Try: boot it`],
            [{ raw: `{"title":"Forbidden","status":403,"detail":"no"}` }, "GPU 0: Forbidden: no"],
            [{ raw: "[]" }, "GPU 0: an answer that is none"], [{ raw: "null" }, "GPU 0: an answer that is none"],
            [{ down: true }, "GPU 0: no answer from the appliance"], [{ raw: "", status: 502 }, "GPU 0: status 502: an empty answer"]]) {
            const p = opened(more);
            await p.run("memory()");
            assert.equal(p.mwords.textContent, said);
            assert.equal(p.mwords.className, "bad");
            assert.equal(p.timers.at(-1).ms, 3000);
        }
        const p = opened();
        know(p, []);
        await p.run("memory()");
        assert.equal(p.mwords.textContent, "No GPU is known.");
        assert.equal(p.timers.at(-1).ms, 3000);
    },
    async "a walk: the call, the end, every level"() {
        const p = opened();
        assert.equal(await walked(p, "secret", "abc", "6", "0x1_0000"),
                     "0x10000 is mapped to 0x5e8000000 in video memory, a 64K page, read-only.");
        assert.deepEqual(plain(p.asked[0].body.params), { session: "abc", vm: 6, va: "0x10000" });
        assert.equal(p.asked[0].headers.Authorization, "Bearer secret");
        assert.deepEqual(p.wlevels.children.map(l => l.textContent), [
            `PD0 link to PT64K at 0x2000table 0x1000, index 3, entry at 0x10300x1 ${HOSTILE}`,
            "PT64K 64K pagetable 0x2000, index 1, entry at 0x20080x41"]);
        assert.equal(p.wgo.disabled, false);
    },
    "a walk: an address of 64 bits goes as it is"() {
        assert.equal(load().call("asked", "s", "1", "FFFFFFFFFFFFFFFF").va, "0xFFFFFFFFFFFFFFFF");
    },
    "a walk: both halves of PD0, and how it can end"() {
        const p = load(), levels = [...WALK.levels, { name: "PT4K", table: "0x3000" }];
        const w = { ...WALK, levels };
        assert.deepEqual([0, 1, 2].map(i => p.call("meaning", w, i)),
                         ["link to PT64K at 0x2000 and PT4K at 0x3000", "no page here, PT4K is asked", "64K page"]);
        assert.equal(p.call("meaning", { ...WALK, end: "unmapped" }, 1), "invalid");
        assert.equal(p.call("endWords", { ...WALK, end: "unmapped", reason: "PT64K: not valid" }), "0x10000 is unmapped: PT64K: not valid.");
        assert.equal(p.call("endWords", { ...WALK, end: "sparse", reason: "PT64K: sparse" }), "0x10000 is sparse: it reads as zero and swallows writes.");
        assert.match(p.call("endWords", { ...WALK, shadow_agrees: false, read_only: false, kind: 6 }), /read and write, kind 6\. The appliance's own copy/);
    },
    async "a walk: mistakes in the form ask nobody"() {
        for (const [token, session, vm_, va, said] of [
            ["t", "", "1", "0", "Session: "], ["t", "s", "", "0", "Address space: "], ["t", "s", "-1", "0", "Address space: "],
            ["t", "s", "1", "", "Virtual address: "], ["t", "s", "1", "0xg", "Virtual address: "],
            ["t", "s", "1", "0x12345678901234567", "Virtual address: "]]) {
            const p = opened();
            const text = await walked(p, token, session, vm_, va);
            assert.ok(text.startsWith(said), `${[token, session, vm_, va]}: ${text}`);
            assert.equal(p.asked.length, 0);
            assert.equal(p.wend.className, "bad");
        }
    },
    async "a walk: errors in words, and no levels of the one before"() {
        let answer = { result: WALK };
        const refuses = opened({ "vm.walk": () => answer });
        await walked(refuses, "t", "s", "1", "0");
        assert.equal(refuses.wlevels.children.length, 2);
        answer = { error: { message: HOSTILE } };
        assert.equal(await walked(refuses, "t", "s", "1", "0"), HOSTILE);
        assert.equal(refuses.wlevels.children.length, 0);
        assert.equal(refuses.wgo.disabled, false);
        const wrong = opened({ raw: `{"title":"Unauthorized","status":401,"detail":"the token is wrong"}`, status: 401 });
        assert.equal(await walked(wrong, "t", "s", "1", "0"), "Unauthorized: the token is wrong");
    },
    "the stream: cut anywhere, with any line end, comments, several lines of data, without data"() {
        const text = ": keep-alive\n\nretry: 2000\n\nid: 7\r\nevent: stage\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\ndata:x\n\nevent: none\n\nid\ndata\n\ndata: end";
        for (let cut = 0; cut <= text.length; cut++) {
            const p = load(), seen = [], take = p.call("sseParser", (event, id, data) => seen.push([event, id, data]));
            take(text.slice(0, cut));
            take(text.slice(cut));
            assert.deepEqual(seen, [["stage", "7", `{"a":\n1}`], ["message", "", "x"], ["message", "", ""]], `cut at ${cut}`);
        }
    },
    "the log's ring forgets its beginning: what is left is recognised"() {
        const p = load(), gone = (a, b) => p.call("gone", [...a], [...b]);
        assert.deepEqual([gone("", "ab"), gone("abc", "abcd"), gone("abc", "cd"), gone("abc", "xy"), gone("aab", "abc"), gone("aba", "abac"), gone("abc", "abc")], [0, 0, 2, -1, 1, 0, 0]);
    },
    "words for numbers"() {
        const p = load();
        assert.deepEqual([0, 999, 1000, 12345, 123456, 1e6, 12345678].map(n => p.call("time", n)), ["0 \u00b5s", "999 \u00b5s", "1.00 ms", "12.3 ms", "123 ms", "1.00 s", "12.3 s"]);
        assert.deepEqual([-1, 59.9, 60, 3661, 90000].map(n => p.call("span", n)), ["0 s", "59 s", "1 min 0 s", "1 h 1 min", "1 d 1 h"]);
        const said = (value, unit, key = "x") => p.call("sensorText", key, { value, unit });
        assert.deepEqual([said(41500, "millicelsius"), said(-500, "millicelsius"), said(61340, "milliwatts"), said(350000, "milliwatts"), said(1695e6, "hertz"), said(7, "percent"),
                          said(2048, "bytes_per_second"), said(1, "flag"), said(0, "flag"), said(8, "number", "pstate"), said(12, "count"), said(5, HOSTILE)],
                         ["41.5 \u00b0C", "-0.5 \u00b0C", "61.3 W", "350 W", "1695 MHz", "7 %", "2 KiB/s", "yes", "no", "P8", "12", "5"]);
        assert.deepEqual([["power_gpu_now", "power"], ["clock_sm", "clocks"], ["pcie_bad_tlps", "pcie"], ["temperature_gpu", "temperature"], ["fan", "fans"], ["power", "power"], ["pstate", "pstate"]]
            .map(a => p.call("sensorName", ...a)), ["GPU now", "SM", "bad TLPs", "GPU", "fan", "power", "performance state"]);
    },
    "a sensor's past: rounds once, oldest out, the line inside its drawing"() {
        const p = load(), round = (value, age_ms = 0) => ({ period_ms: 1000, values: { x: { value, unit: "percent", age_ms } } });
        p.call("remember", 0, round(5), 0);
        p.call("remember", 0, round(5, 400), 400); // the same one again
        p.call("remember", 0, round(6), 1000);
        p.call("remember", 1, round(9), 0);
        assert.deepEqual(plain(p.run("past.get(0).get('x')")), [[0, 5], [1000, 6]]);
        for (let i = 2; i < 400; i++) p.call("remember", 0, round(i % 100), i * 1000);
        const line = p.run("past.get(0).get('x')");
        assert.equal(line.length, 150);
        for (const percent of [true, false]) {
            for (const xy of p.call("points", line, percent).split(" ")) {
                const [x, y] = xy.split(",").map(Number);
                assert.ok(x >= 0 && x <= 150 && y >= 0 && y <= 32, xy);
            }
        }
        assert.equal(p.call("points", [[0, 3], [1, 3]], false), "0,16 150,16");
    },
    "characters that act are shown by their numbers, others as they are"() {
        const p = load();
        assert.equal(p.call("seen", "a\u202eb\u2066\0\x1b\x7f\n\t\u05d0\u{1F525}"), "a\\u202eb\\u2066\\u0000\\u001b\\u007f\n\t\u05d0\u{1F525}");
        assert.equal(plain(p.call("parse", `{"a":["\u202e"]}`)).a[0], "\\u202e");
    },
    "a curl command survives a shell"() {
        const p = load(), line = p.call("curl", "registers.read", { register: "it's; `x` $(y)" });
        const [, quoted] = line.match(/ -d (.*)$/);
        assert.deepEqual(JSON.parse(execFileSync("sh", ["-c", `printf %s ${quoted}`], { encoding: "utf8" })).params, { register: "it's; `x` $(y)" });
        assert.ok(line.includes("$TOKEN"));
    },
    "worst first: every state has its place, the sentence for all counts the worst"() {
        const p = load(), of = (...levels) => p.call("overall", levels.map(level => ({ v: { level } }))).text;
        assert.deepEqual([of(), of("ready"), of("ready", "ready"), of("ready", "failed", "booting"), of("degraded", "unloaded", "degraded"), of("booting", "absent")],
                         ["No GPU found", "Ready", "All 2 GPUs ready", "1 of 3 GPUs failed", "2 of 3 GPUs degraded", "1 of 2 GPUs booting"]);
    },
    "not well: each reason alone"() {
        const p = load(), value = n => ({ value: n }), G = { index: 0, xid: { count: 0, last: 0, text: "" } };
        const why = more => plain(p.call("complaints", { ...G, ...more })).map(w => w.text);
        assert.deepEqual(why({}), []);
        assert.deepEqual(why({ xid: { count: 2, last: 79, text: HOSTILE } }), [`Xid 79 (${HOSTILE}), 2 Xid errors since power on`]);
        assert.deepEqual(why({ sensors: { values: { ecc_uncorrected_volatile: value(1), ecc_corrected_volatile: value(9) } } }), ["1 uncorrected memory error"]);
        assert.deepEqual(why({ sensors: { values: { remap_failed: value(1), remap_pending: value(0) } } }), ["a row of memory could not be remapped"]);
        assert.deepEqual(why({ sensors: { values: { remap_pending: value(1) } } }), ["a row of memory waits to be remapped"]);
        assert.deepEqual(why({ sensors: { values: {}, throttle_reasons: ["gpu_idle", "hw_power_brake_slowdown"] } }), ["slowed down by the hardware: hw power brake slowdown"]);
        assert.deepEqual(why({ health: { state: "degraded", reasons: ["as the appliance says"] }, xid: { count: 1 } }), ["as the appliance says"]);
        assert.deepEqual(why({ health: { state: "ok", reasons: [] }, xid: { count: 1 } }), []);
        const hinted = plain(p.call("complaints", { ...G, health: { reasons: ["a", "b"] }, sensors: { values: { remap_pending: value(1) } } }));
        assert.deepEqual(hinted.map(w => w.hint), Array(2).fill("reset the GPU, then it is"));
    },
    async "a refusal of the token before does not take away the new one"() {
        const p = opened({ raw: `{"title":"Unauthorized","status":401,"detail":"no"}`, status: 401 });
        p.call("setToken", "old");
        const waits = p.run("rpc('memory.stats', {}).catch(e => e.message)");
        p.call("setToken", "new");
        assert.equal(await waits, "Unauthorized: no");
        assert.equal(p.run("token"), "new");
        await p.run("rpc('memory.stats', {}).catch(() => 0)");
        assert.equal(p.run("token"), "");
    },
    "what stands first in the console's editor"() {
        const p = load(), skeleton = params => JSON.parse(p.call("skeleton", { params }));
        const param = (name, required, schema) => ({ name, required, schema });
        assert.deepEqual(skeleton([param("gpu", false, {}), param("kind", true, { enum: ["a", "b"] }), param("n", true, { type: ["integer", "string"] }), param("o", true, { type: "object" }),
                                   param("t", true, { type: "string" }), param("b", true, { type: "boolean" }), param("free", false, { type: "string" })]), { kind: "a", n: 0, o: {}, t: "", b: false });
        know(p, [GPU, { ...GPU, index: 1 }]);
        assert.deepEqual(skeleton([param("gpu", false, {})]), { gpu: 0 });
    },
};

let failed = 0;
for (const [name, run] of Object.entries(cases)) {
    try {
        await run();
    } catch (e) {
        failed++;
        console.log(`${name}: ${e.stack.split("\n").slice(0, 12).join("\n")}`);
    }
}
console.log(`${Object.keys(cases).length - failed} of ${Object.keys(cases).length} cases`);
process.exit(failed ? 1 : 0);
