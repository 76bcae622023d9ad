// SPDX-License-Identifier: MIT
// GPU memory: a map, drawn again while its section is open, in place: focus and selection stay
const ZONES = {
    usable: "for objects",
    low: "page tables first",
    wpr: "write-protected, the firmware's",
    "rm-reserved": "the resource manager's",
    unusable: "protected, or not for every use",
    unknown: "in no region"
};
const MEMORY_MS = 3000,
    LIST_MAX = 256,
    LISTS_MAX = 4,
    LEAST = 0.8;
const zoneClass = name => "z-" + (Object.hasOwn(ZONES, name) ? name : "unknown");
// Widths in percent: to scale, but none below least.
function layout(sizes, least = LEAST) {
    const small = new Set();
    let rest = 100,
        sum = sizes.reduce((a, b) => a + b, 0),
        before;
    least = Math.min(least, 50 / sizes.length);
    do {
        before = small.size;
        for (let i = 0; i < sizes.length; i++)
            if (!small.has(i) && (sizes[i] / sum) * rest < least) small.add(i);
        rest = 100 - least * small.size;
        sum = sizes.reduce((a, b, i) => (small.has(i) ? a : a + b), 0);
    } while (small.size > before);
    return sizes.map((s, i) => (small.has(i) ? least : (s / sum) * rest));
}
// Where an address lies on the map, in percent.
function place(spans, address) {
    for (const s of spans)
        if (address < s.base + s.bytes) return s.left + (s.width * Math.max(address - s.base, 0)) / s.bytes;
    return 100;
}
function laid(spans) {
    const widths = layout(spans.map(s => s.bytes));
    let left = 0;
    return spans.map((s, i) => {
        const at = { ...s, left, width: widths[i] };
        left += widths[i];
        return at;
    });
}
// Nobody has used the memory yet: what the GSP said of it.
function fromStatus(vram) {
    const wpr = vram.wpr2.hi > vram.wpr2.lo ? [vram.wpr2.lo, vram.wpr2.hi] : [0, 0],
        cuts = new Set([0, vram.bytes, ...wpr]),
        spans = [];
    for (const r of vram.regions)
        for (const c of [r.base, r.limit + 1 - r.reserved, r.limit + 1]) cuts.add(c);
    const ends = [...cuts].filter(c => c >= 0 && c <= vram.bytes).sort((a, b) => a - b);
    for (let i = 0; i + 1 < ends.length; i++) {
        const base = ends[i],
            r = vram.regions.find(r => base >= r.base && base <= r.limit),
            last = spans.at(-1);
        const zone =
            base >= wpr[0] && base < wpr[1]
                ? "wpr"
                : !r
                  ? "unknown"
                  : r.protected || !r.compressed
                    ? "unusable"
                    : base > r.limit - r.reserved
                      ? "rm-reserved"
                      : "usable";
        if (last && last.zone === zone) last.bytes = ends[i + 1] - last.base;
        else spans.push({ base, bytes: ends[i + 1] - base, zone });
    }
    return spans;
}
function objectWords(o) {
    return (
        `object ${o.object}, ${size(o.bytes)}, ` +
        (o.uses ? "mapped " + count(o.uses, "time") : "not mapped") +
        (o.pinned ? ", pinned" : "") +
        (o.evicted ? ", evicted to RAM" : "")
    );
}
// All that is drawn: zones and the pieces of objects, by address.
function pieces(spans, objects) {
    const all = spans.map(s => ({ ...s, key: "z" + s.base, cls: zoneClass(s.zone), what: `zone ${s.zone}` }));
    for (const o of objects) {
        const more = o.extent_count - o.extents.length;
        o.extents.forEach((e, i) => {
            const base = Number(e.address),
                n = Number(e.bytes),
                left = place(spans, base);
            all.push({
                key: `o${o.object}.${i}`,
                base,
                bytes: n,
                left,
                width: place(spans, base + n) - left,
                cls: "object",
                what:
                    objectWords(o) +
                    (o.extent_count > 1 ? `, piece ${i + 1} of ${o.extent_count}` : "") +
                    (more && i + 1 === o.extents.length ? "; the others are not told" : "")
            });
        });
    }
    return all.sort((a, b) => a.base - b.base);
}
function pieceWords(p) {
    return `${hex(p.base)} to ${hex(p.base + p.bytes - 1)}, ${size(p.bytes)}: ${p.what}`;
}
function memoryWords(s, listed) {
    return (
        `${size(s.free_bytes)} of ${size(s.total_bytes)} is free for objects, the largest piece ${size(s.largest_free_bytes)}. ` +
        `${count(s.objects, "object")} of ${size(s.object_bytes)}` +
        (s.evicted_bytes ? `, ${size(s.evicted_bytes)} of it evicted to RAM` : "") +
        (listed < s.objects ? `, ${listed} shown` : "") +
        `; page tables take ${size(s.page_table_bytes)} for ${count(s.address_spaces, "address space")} and BAR1.`
    );
}
function blockWords(orders) {
    const blocks = orders
        .map((n, i) => (n ? `${n} of ${size(4096 * 2 ** i)}` : ""))
        .filter(Boolean)
        .reverse();
    return "Free blocks: " + (blocks.join(", ") || "none") + ".";
}
let mapAt = "",
    memoryTimer,
    memoryBusy = false;
function point(e) {
    mapAt = e.dataset.key;
    for (const p of $("mmap").children) p.tabIndex = p === e ? 0 : -1;
    say($("mwhat"), e.title);
}
function newPiece() {
    const b = el("button");
    b.type = "button";
    for (const on of ["focus", "pointerenter", "click"]) b.addEventListener(on, () => point(b));
    return b;
}
function drawMap(spans, objects, zones) {
    const map = $("mmap"),
        all = pieces(spans, objects),
        evicted = objects.filter(o => o.evicted);
    map.hidden = !all.length;
    sync(map, all, newPiece, (b, p) => {
        const words = pieceWords(p);
        if (b.title !== words) {
            b.title = words;
            b.setAttribute("aria-label", words);
        }
        say(b, "", "piece " + p.cls);
        b.style.left = `min(${p.left}%, 100% - 6px)`;
        b.style.width = p.width + "%";
    });
    const now = [...map.children].find(e => e.dataset.key === mapAt);
    if (now) point(now);
    else if (map.firstElementChild) {
        mapAt = "";
        map.firstElementChild.tabIndex = 0;
        say($("mwhat"), "Point at the map, or move along it with the arrow keys.");
    } else say($("mwhat"), "");
    const sums = new Map();
    for (const s of spans) sums.set(s.zone, (sums.get(s.zone) ?? 0) + s.bytes);
    const legend = [...sums].map(([name, n]) => {
        const z = zones.find(z => z.name === name);
        return {
            key: "z" + name,
            cls: zoneClass(name),
            text: `${name}${Object.hasOwn(ZONES, name) ? ` (${ZONES[name]})` : ""} ${size(n)}${z && z.free_bytes ? `, ${size(z.free_bytes)} free` : ""}`
        };
    });
    if (objects.length)
        legend.push({
            key: "objects",
            cls: "object",
            text: `objects ${size(objects.reduce((a, o) => a + (o.evicted ? 0 : o.bytes), 0))}`
        });
    sync(
        $("mlegend"),
        legend,
        () => {
            const li = el("li");
            li.append(el("i"), el("span"));
            return li;
        },
        (li, l) => {
            say(li.children[0], "", l.cls);
            say(li.children[1], l.text);
        }
    );
    const rows = all.map(p => ({
        key: p.key,
        cells: [hex(p.base), hex(p.base + p.bytes - 1), size(p.bytes), p.what]
    }));
    rows.push(
        ...evicted.map(o => ({ key: "e" + o.object, cells: ["in RAM", "", size(o.bytes), objectWords(o)] }))
    );
    if (!$("mhead").children.length) $("mhead").append(row(["From", "To", { n: "Size" }, "What"], "th"));
    sync(
        $("mrows"),
        rows,
        () => row(["", "", { n: "" }, ""]),
        (tr, r) => r.cells.forEach((c, i) => say(tr.children[i], c))
    );
}
function drawUnused(g) {
    const spans = laid(fromStatus(g.vram));
    say(
        $("mwords"),
        spans.length
            ? "Nobody has used this memory in this life of the GPU: the map is what the GSP said of it. Zones and objects come with the first use."
            : `Nothing is known of this GPU's memory yet: it is ${g.state}.`,
        "dim"
    );
    say($("mblocks"), "");
    drawMap(spans, [], []);
}
const chosen = () => chosenOf($("mgpu"));
async function memory() {
    clearTimeout(memoryTimer);
    if (memoryBusy || !$("memory").open || document.hidden) return;
    const g = chosen();
    if (!g) {
        say($("mwords"), "No GPU is known.", "dim");
        memoryTimer = setTimeout(memory, MEMORY_MS);
        return;
    }
    memoryBusy = true;
    try {
        const both = await post([
            call(1, "memory.stats", { gpu: g.index }),
            call(2, "memory.list", { gpu: g.index })
        ]);
        if (!Array.isArray(both)) result(both);
        const stats = result(both.find(a => a.id === 1)),
            objects = result(both.find(a => a.id === 2));
        for (let n = 1, more = objects; more.length === LIST_MAX && n < LISTS_MAX; n++) {
            more = result(await post(call(1, "memory.list", { gpu: g.index, after: objects.at(-1).object })));
            objects.push(...more);
        }
        if (stats.managed) {
            say($("mwords"), memoryWords(stats, objects.length), "");
            say($("mblocks"), blockWords(stats.free_blocks_by_order));
            drawMap(
                laid(stats.map.map(s => ({ base: Number(s.address), bytes: Number(s.bytes), zone: s.zone }))),
                objects,
                stats.zones
            );
        } else {
            drawUnused(g);
        }
    } catch (e) {
        say($("mwords"), `GPU ${g.index}: ${e.message}`, "bad");
    }
    memoryBusy = false;
    memoryTimer = setTimeout(memory, chosen()?.index === g.index ? MEMORY_MS : 0);
}
function keys(e) {
    const all = [...$("mmap").children],
        at = all.indexOf(document.activeElement);
    const to = {
        ArrowRight: at + 1,
        ArrowDown: at + 1,
        ArrowLeft: at - 1,
        ArrowUp: at - 1,
        Home: 0,
        End: all.length - 1
    }[e.key];
    if (to === undefined || at < 0) return;
    e.preventDefault();
    if (all[to]) all[to].focus();
}
// ---- the walk of a virtual address
function meaning(w, i) {
    const l = w.levels[i],
        next = w.levels.slice(i + 1);
    if (next.length && l.name.startsWith("PT")) return `no page here, ${next[0].name} is asked`;
    if (next.length)
        return (
            "link to " +
            next
                .filter((n, k) => !k || l.name === "PD0")
                .map(n => `${n.name} at ${n.table}`)
                .join(" and ")
        );
    return (
        { mapped: `${w.page} page`, unmapped: "invalid", sparse: "sparse", fault: "not what a GPU accepts" }[
            w.end
        ] ?? w.end
    );
}
function endWords(w) {
    const where =
        {
            mapped: `mapped to ${w.address} in ${w.aperture}, a ${w.page} page, ${w.read_only ? "read-only" : "read and write"}`,
            sparse: "sparse: it reads as zero and swallows writes",
            unmapped: "unmapped",
            fault: "a fault"
        }[w.end] ?? w.end;
    const notes =
        w.end === "mapped"
            ? [w.volatile ? "volatile" : "", w.privileged ? "privileged" : "", w.kind ? "kind " + w.kind : ""]
                  .filter(Boolean)
                  .map(n => ", " + n)
                  .join("")
            : w.reason && w.end !== "sparse"
              ? ": " + w.reason
              : "";
    return (
        `${w.va} is ${where}${notes}.` +
        (w.shadow_agrees === false ? " The appliance's own copy of the tables says otherwise." : "")
    );
}
// What the form asks for; a mistake in it is thrown, in words.
function asked(session, vm, va) {
    if (!session) throw new Error("Session: what session.open gave.");
    if (!/^[0-9]{1,10}$/.test(vm)) throw new Error("Address space: the number that vm.create gave.");
    const digits = va.replace(/[\s_]/g, "").replace(/^0x/i, "");
    if (!/^[0-9a-f]{1,16}$/i.test(digits)) throw new Error("Virtual address: 1 to 16 hexadecimal digits.");
    return { session, vm: Number(vm), va: "0x" + digits };
}
async function walk(e) {
    e.preventDefault();
    $("wgo").disabled = true;
    $("wlevels").replaceChildren();
    say($("wend"), "", "");
    try {
        const params = asked(...["wsession", "wvm", "wva"].map(id => $(id).value.trim()));
        if (!(await tokenGiven())) throw new Error("A walk needs the token.");
        const w = await rpc("vm.walk", params);
        say($("wend"), endWords(w));
        $("wlevels").replaceChildren(
            ...w.levels.map((l, i) => {
                const li = el("li");
                li.append(
                    el("b", l.name),
                    ` ${meaning(w, i)}`,
                    el("div", `table ${l.table}, index ${l.index}, entry at ${l.entry_at}`, "dim"),
                    el("code", l.entry.join(" "))
                );
                return li;
            })
        );
    } catch (x) {
        say($("wend"), x.message, "bad");
    }
    $("wgo").disabled = false;
}
$("memory").addEventListener("toggle", memory);
$("mgpu").addEventListener("change", memory);
$("mmap").addEventListener("keydown", keys);
$("walk").addEventListener("submit", walk);
document.addEventListener("visibilitychange", memory);
