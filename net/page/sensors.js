// SPDX-License-Identifier: MIT
// Sensors: what the GPU measures of itself, with unit and age; the last minutes as a line.

const SAMPLES_MAX = 150,
    STALE_PERIODS = 3;
const GROUPS = {
    temperature: "Temperature",
    power: "Power",
    clocks: "Clocks",
    utilization: "Use",
    ecc: "ECC errors",
    remap: "Remapped rows",
    pcie: "PCI Express"
};
const groupWord = g => (Object.hasOwn(GROUPS, g) ? GROUPS[g] : g);
const PREFIX = {
    temperature: "temperature",
    power: "power",
    clocks: "clock",
    utilization: "utilization",
    ecc: "ecc",
    remap: "remap",
    pcie: "pcie"
};
const CAPITALS = /\b(gpu|sm|ofa|jpeg|dram|sram|lcrc)\b/g;
// "power_gpu_now" of the group power -> "GPU now".
function sensorName(key, group) {
    const p = Object.hasOwn(PREFIX, group) ? PREFIX[group] + "_" : "";
    if (key === "pstate") return "performance state";
    const rest = p && key.startsWith(p) && key.length > p.length ? key.slice(p.length) : key;
    return rest
        .replaceAll("_", " ")
        .replace(CAPITALS, w => w.toUpperCase())
        .replace(/\b(tlp|dllp|nak)s\b/g, w => w.slice(0, -1).toUpperCase() + "s");
}
const round = (n, digits) => String(Number(n.toFixed(digits)));
function sensorText(key, s, unit = s.unit) {
    const n = s.value;
    switch (unit) {
        case "millicelsius":
            return `${round(n / 1000, 1)} \u00b0C`;
        case "milliwatts":
            return `${round(n / 1000, n < 100000 ? 1 : 0)} W`;
        case "hertz":
            return `${round(n / 1e6, 0)} MHz`;
        case "percent":
            return `${n} %`;
        case "bytes_per_second":
            return `${size(n)}/s`;
        case "flag":
            return n ? "yes" : "no";
        case "mask":
            return hex(n);
        default:
            return key === "pstate" ? `P${n}` : String(n);
    }
}
const age = ms => (ms < 1000 ? "now" : `${span(ms / 1000)} ago`);

// gpu index -> key -> [[taken, value]], taken in this page's own time.
const past = new Map();
function remember(index, sensors, at = performance.now()) {
    if (!sensors || !sensors.values) return;
    if (!past.has(index)) past.set(index, new Map());
    const of = past.get(index);
    for (const [key, s] of Object.entries(sensors.values)) {
        const taken = at - s.age_ms,
            line = of.get(key) ?? [],
            last = line.at(-1);
        of.set(key, line);
        // The same sample seen twice has the same age, but for the time it took to come here.
        if (last && taken - last[0] < (sensors.period_ms || 1000) / 2) continue;
        line.push([taken, s.value]);
        if (line.length > SAMPLES_MAX) line.shift();
    }
}
const SVG = "http://www.w3.org/2000/svg",
    WIDE = 150,
    HIGH = 32;
function spark() {
    const s = document.createElementNS(SVG, "svg"),
        l = document.createElementNS(SVG, "polyline");
    s.setAttribute("viewBox", `0 0 ${WIDE} ${HIGH}`);
    s.setAttribute("preserveAspectRatio", "none");
    s.setAttribute("role", "img");
    s.append(l);
    return s;
}
// The line's points in the drawing; a flat one lies in the middle.
function points(line, percent) {
    const v = line.map(p => p[1]),
        lo = percent ? 0 : Math.min(...v),
        hi = percent ? 100 : Math.max(...v);
    const from = line[0][0],
        wide = line.at(-1)[0] - from || 1;
    return line
        .map(
            ([t, n]) =>
                `${round(((t - from) / wide) * WIDE, 1)},${round(hi > lo ? 1 + ((HIGH - 2) * (hi - n)) / (hi - lo) : HIGH / 2, 1)}`
        )
        .join(" ");
}
const DRAWN = new Set(["millicelsius", "milliwatts", "hertz", "percent", "bytes_per_second"]);
function fillTile(tile, { key, name, s, line }) {
    const [label, value, old, svg] = tile.children;
    say(label, name);
    say(value, sensorText(key, s));
    tile.taken = performance.now() - s.age_ms;
    const drawn = line && line.length > 2;
    if (svg) {
        svg.style.display = drawn ? "" : "none";
        if (drawn) {
            const v = line.map(p => p[1]),
                lo = sensorText(key, { value: Math.min(...v) }, s.unit),
                hi = sensorText(key, { value: Math.max(...v) }, s.unit);
            svg.children[0].setAttribute("points", points(line, s.unit === "percent"));
            svg.setAttribute(
                "aria-label",
                `${name}: ${lo} to ${hi} in the last ${span((line.at(-1)[0] - line[0][0]) / 1000)}`
            );
        }
    }
    say(old, age(s.age_ms));
}
function newTile({ s }) {
    const t = box("div", "tile", el("span", undefined, "label"), el("b"), el("span", undefined, "age"));
    if (DRAWN.has(s.unit)) t.append(spark());
    return t;
}
// Counters that are all 0 take a line; the others show what is not 0, the rest folded away.
function newGroup({ group, folds }) {
    const tiles = el("div", undefined, "tiles");
    if (!folds) return box("section", "", el("h4", groupWord(group)), tiles);
    return box("details", "", el("summary"), tiles);
}
function fillSensors(p, g) {
    const sensors = g.sensors,
        values = (sensors && sensors.values) || {},
        of = past.get(g.index),
        groups = new Map();
    for (const [key, s] of Object.entries(values)) {
        if (s.unit === "mask") continue;
        const group = s.group === "pstate" ? "clocks" : s.group;
        if (!groups.has(group)) groups.set(group, []);
        groups.get(group).push({ key, name: sensorName(key, s.group), s, line: of && of.get(key) });
    }
    const all = [...groups].map(([group, tiles]) => ({
        key: group,
        group,
        tiles,
        folds: tiles.every(t => !DRAWN.has(t.s.unit)) && tiles.length > 2
    }));
    show(p.sensorsHead.parentElement, sensors);
    if (!sensors) return;
    say(p.sensorsHead, "Sensors");
    p.sensorsHead.title = sensors.source
        ? `from the ${sensors.source}, every ${sensors.period_ms} ms, ${count(sensors.samples, "sample")}`
        : "";
    const reasons = (sensors.throttle_reasons ?? []).map(r => String(r).replaceAll("_", " "));
    const refused = sensors.refused ?? [];
    const notes = [
        reasons.length ? `Why clocks are not at their highest: ${reasons.join(", ")}.` : "",
        all.length ? "" : "The firmware has told nothing yet.",
        refused.length
            ? `Not served by this board's firmware: ${refused.map(r => `${r.cmd} (${r.status})`).join(", ")}.`
            : ""
    ]
        .filter(Boolean)
        .join(" ");
    sync(
        p.sensors,
        [...all, ...(notes ? [{ key: "", notes }] : [])],
        i => (i.notes ? el("p", undefined, "dim") : newGroup(i)),
        (e, i) => {
            if (i.notes) return say(e, i.notes);
            const on = i.tiles.filter(t => t.s.value !== 0 && t.s.value !== "0");
            if (i.folds)
                say(
                    e.children[0],
                    `${groupWord(i.group)}: ${on.length ? on.map(t => `${t.name} ${sensorText(t.key, t.s)}`).join(", ") : `${i.tiles.length} values, all 0`}`
                );
            if (i.folds) say(e, undefined, on.length ? "warn" : "");
            sync(e.children[1], i.tiles, newTile, fillTile);
        }
    );
}
// Once a second: only the ages move on.
function agesOn() {
    for (const tile of document.querySelectorAll(".tile"))
        say(tile.children[2], age(performance.now() - tile.taken));
}
