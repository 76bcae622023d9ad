// SPDX-License-Identifier: MIT
// The GPUs: a strip for several, and for each its state in one word and one sentence, what failed and
// what to try, attempts, facts and orders.

const NO_HINT = "boot it again; if it fails at the same place, save the report and try another slot or card";

// How bad it is; the worst first in the strip.
const LEVELS = ["failed", "degraded", "booting", "absent", "unloaded", "ready"];
const WORDS = {
    failed: "Failed",
    degraded: "Degraded",
    booting: "Booting",
    absent: "Absent",
    unloaded: "Unloaded",
    ready: "Ready"
};
const levelWord = level => (Object.hasOwn(WORDS, level) ? WORDS[level] : level);
const gpuName = g => g.name || (g.chip ? g.chip.toUpperCase() : "unknown GPU");
const linkWords = l => (l ? `${l.speed} x${l.width} (can ${l.max_speed} x${l.max_width})` : "");

// Why a GPU that is ready is not well, and what to try: [{text, hint}].
function complaints(g) {
    const v = (g.sensors && g.sensors.values) || {},
        at = key => (Object.hasOwn(v, key) ? v[key].value : 0),
        why = [];
    const add = (yes, text, hint) => {
        if (yes) why.push({ text, hint });
    };
    const told = events.findLast(e => e.event === "xid" && e.gpu === g.index && e.xid === g.xid.last);
    add(
        g.xid.count,
        `Xid ${g.xid.last}${g.xid.text ? ` (${g.xid.text})` : ""}, ${count(g.xid.count, "Xid error")} since power on`,
        (told && told.action) || "reset the GPU and boot it; if the Xid comes again, save the report"
    );
    add(
        at("ecc_uncorrected_volatile") > 0,
        count(at("ecc_uncorrected_volatile"), "uncorrected memory error"),
        "reset the GPU; if errors come again, its memory is at fault"
    );
    add(at("remap_failed"), "a row of memory could not be remapped", "the board needs service");
    add(at("remap_pending"), "a row of memory waits to be remapped", "reset the GPU, then it is");
    for (const r of (g.sensors && g.sensors.throttle_reasons) || []) {
        add(
            String(r).startsWith("hw_"),
            `slowed down by the hardware: ${String(r).replaceAll("_", " ")}`,
            String(r).includes("power") ? "check power cables and supply" : "check fans, airflow and power"
        );
    }
    if (!g.health || !Array.isArray(g.health.reasons)) return why;
    // The appliance's own words; what to try is still ours.
    const hint = why.map(w => w.hint).join("; ") || "look at the sensors and events; save the report";
    return g.health.reasons.map(text => ({ text: String(text), hint }));
}
const failedStage = g => (g.error ? g.error.stage : "");
// {level, word, line}: its state for colours, in large type, and as a sentence.
function verdict(g, now_us) {
    const counted = g.stages.filter(s => s.state !== "skipped"),
        done = counted.filter(s => s.state === "ok").length;
    const tries = g.attempts ? g.attempts.total : 0,
        last = tries ? g.attempts.last.at(-1) : null;
    const tried = g.attempt > 1 ? `, attempt ${g.attempt}` : "";
    if (g.state === "failed") {
        const lost = g.error && g.error.kind === "link lost";
        const where = failedStage(g) && failedStage(g) !== "ready" ? ` in stage ${failedStage(g)}` : "";
        return {
            level: "failed",
            word: lost ? "Link lost" : "Failed",
            line: lost
                ? `The GPU no longer answers on PCI Express; lost ${where ? where.slice(1) : "after it was ready"}.`
                : `It did not come up: failed${where}${tries > 1 ? `, ${count(tries, "attempt")}` : ""}.`
        };
    }
    if (g.state === "booting") {
        const s = g.stages.find(s => s.state === "running");
        return {
            level: "booting",
            word: "Booting",
            line: s
                ? `Stage ${done + 1} of ${counted.length}, ${s.name}, for ${time(Math.max(0, now_us - s.start_us))}${tried}. ${stageWords(s.name)}`
                : `${done} of ${counted.length} stages are done${tried}.`
        };
    }
    if (g.state === "ready") {
        const why = complaints(g);
        if (why.length)
            return {
                level: "degraded",
                word: "Degraded",
                line: `Its firmware ${g.gsp.version} is up, but not all is well${tried}.`
            };
        return {
            level: "ready",
            word: "Ready",
            line:
                `Its firmware ${g.gsp.version} is up` +
                (last && last.result === "ok" ? `, ${time(last.us)} after the start` : "") +
                `${tried}.`
        };
    }
    if (g.state === "unloaded")
        return {
            level: "unloaded",
            word: "Unloaded",
            line: "Its firmware has been taken down in order. Boot brings it up again."
        };
    if (g.state === "absent") return { level: "absent", word: "Absent", line: "Nobody has started it yet." };
    return { level: "unloaded", word: g.state, line: "" };
}

// ---- one GPU's card

// The words to put into a bug report.
function failureText(g) {
    const e = g.error,
        [head, text, , hint, more] = failureWords(g);
    return [
        `GPU ${g.index}: ${gpuName(g)}, ${g.chip}, ${g.pci.address}, ${g.uuid || "no UUID"}, ${g.state}`,
        head,
        text,
        more,
        e && e.seen !== undefined ? `${e.what}: seen ${e.seen}, expected ${e.expected}` : "",
        hint ? `What to try: ${hint}` : "",
        `firmware ${g.gsp.version || "none"}, VBIOS ${g.vbios.version || "unknown"}, link ${linkWords(g.pci.link) || "unknown"}, attempt ${g.attempt}`,
        `host ${hostName}, Firstlight ${version}`
    ]
        .filter(Boolean)
        .join("\n");
}
const logLinks = i =>
    ["init", "intr", "rm"].map(n => anchor(n, `/api/v1/gpus/${i}/logs/${n}`, `gpu${i}-${n}.bin`));
function failureBox(card) {
    const f = box(
        "div",
        "failure",
        el("h3"),
        el("p", undefined, "text"),
        el("p"),
        el("p"),
        el("p", undefined, "more")
    );
    f.append(
        box(
            "p",
            "acts",
            copyButton("the failure", () => failureText(card.gpu), "Copy for a bug report"),
            anchor("Save the report", `/api/v1/gpus/${card.index}/report`, `gpu${card.index}-report.tar`),
            anchor("Flight recorder", `/api/v1/gpus/${card.index}/flight`),
            "Firmware logs:",
            ...logLinks(card.index)
        )
    );
    return f;
}
// What it says: its head, the words, the stage explained, what to try, the rest.
function failureWords(g) {
    const e = g.error,
        why = g.state === "ready" ? complaints(g) : [];
    if (why.length)
        return [
            "What is not well",
            why.map(w => w.text).join("\n"),
            "",
            [...new Set(why.map(w => w.hint).filter(Boolean))].join("; "),
            ""
        ];
    if (!e) return null;
    const head =
        g.state !== "failed"
            ? `An earlier failure, in stage ${e.stage}`
            : e.stage === "ready"
              ? "What happened"
              : `What failed: stage ${e.stage}`;
    return [
        head,
        e.text,
        stageWords(e.stage),
        e.hint || NO_HINT,
        [
            e.kind,
            e.what,
            e.seen !== undefined && e.seen !== e.expected ? `seen ${e.seen}, expected ${e.expected}` : "",
            e.waited_us ? `waited ${time(e.waited_us)}` : "",
            e.site
        ]
            .filter(Boolean)
            .join(" \u00b7 ")
    ];
}
function fillFailure(f, g) {
    const words = failureWords(g);
    show(f, words);
    if (!words) return;
    const [head, text, stage, hint, more] = words;
    say(f, undefined, g.state === "failed" ? "failure" : "failure old");
    [head, text, stage && `What this stage is: ${stage}`, hint && `What to try: ${hint}`, more].forEach(
        (w, i) => say(f.children[i], w)
    );
}
function newCard(item) {
    const c = box("article", "gpu"),
        i = item.index;
    c.id = "gpu" + i;
    c.tabIndex = -1;
    c.index = i;
    const p = (c.parts = {
        word: el("span", undefined, "word"),
        name: el("h2"),
        id: el("p", undefined, "dim"),
        line: el("p", undefined, "line"),
        acts: el("div", undefined, "acts"),
        answer: el("p", undefined, "answer"),
        failure: failureBox(c),
        bar: el("progress"),
        stages: el("ol", undefined, "stages"),
        stagesHead: el("h3", "Stages"),
        sensors: el("div", undefined, "sensors"),
        sensorsHead: el("h3", "Sensors"),
        facts: el("dl"),
        tries: el("table"),
        triesBox: el("details"),
        more: el("details"),
        links: el("p", undefined, "links")
    });
    p.answer.setAttribute("role", "status");
    p.bar.setAttribute("aria-label", `GPU ${i}: stages done`);
    for (const [name, words] of Object.entries(ORDERS))
        p.acts.append(button(words.label, () => order(c.gpu, name)));
    p.links.append(
        "Firmware logs: ",
        ...logLinks(i).flatMap(a => [a, " "]),
        "\u00b7 ",
        anchor("flight recorder", `/api/v1/gpus/${i}/flight`),
        " \u00b7 ",
        anchor("report", `/api/v1/gpus/${i}/report`, `gpu${i}-report.tar`)
    );
    p.triesBox.append(el("summary", "Attempts"), box("div", "scroll", p.tries));
    const names = box("div", "names", p.name, p.id);
    p.more.append(
        el("summary", "Stages, sensors, board"),
        box(
            "div",
            "cols",
            box("section", "time", p.stagesHead, p.stages),
            box("section", "senses", p.sensorsHead, p.sensors),
            box("section", "facts", el("h3", "Board"), p.facts, p.triesBox, p.links)
        )
    );
    p.more.open = item.few || item.v.level !== "ready";
    c.append(box("header", "head", p.word, names, p.acts), p.line, p.bar, p.answer, p.failure, p.more);
    return c;
}
function fillCard(c, { g }) {
    const p = c.parts,
        v = verdict(g, nowUs());
    c.gpu = g;
    say(c, undefined, "gpu " + v.level);
    say(p.word, v.word);
    say(p.name, `GPU ${g.index}: ${gpuName(g)}`);
    say(
        p.id,
        [
            g.chip,
            g.pci.address,
            g.vram.bytes ? size(g.vram.bytes) : "",
            g.gsp.version ? "firmware " + g.gsp.version : ""
        ]
            .filter(Boolean)
            .join(" \u00b7 ")
    );
    say(p.line, v.line);
    for (const [i, o] of Object.values(ORDERS).entries())
        p.acts.children[i].disabled = !o.when.includes(g.state);
    fillFailure(p.failure, g);
    fillStages(p, g);
    fillSensors(p, g);
    facts(p.facts, [
        ["UUID", g.uuid, true],
        ["PCI Express", `${g.pci.address}, ${g.pci.vendor}:${g.pci.device}`, true],
        ["Link", linkWords(g.pci.link) || "not known"],
        ["Subsystem", g.pci.subsystem],
        ["Chip", `${g.chip || "unknown"}${g.short_name ? `, ${g.short_name}` : ""}, BOOT_42 ${g.boot_42}`],
        [
            "Video memory",
            g.vram.bytes ? `${size(g.vram.bytes)}${g.vram.bus_width ? `, ${g.vram.bus_width} bit` : ""}` : ""
        ],
        ["GSP firmware", g.gsp.version],
        ["Passed over", g.firmware.passed_over ? g.firmware.passed_over.text : ""],
        ["VBIOS", g.vbios.version, true],
        ["Register accesses", `${g.registers.reads} reads, ${g.registers.writes} writes`],
        [
            "Messages",
            `${g.gsp.rpc_sent} sent, ${g.gsp.rpc_received} received, ${count(g.gsp.events, "event")}`
        ],
        [
            "Xid errors",
            g.xid.count ? `${g.xid.count}, last ${g.xid.last}${g.xid.text ? `: ${g.xid.text}` : ""}` : "none"
        ]
    ]);
    const tries = g.attempts ? g.attempts.last : [];
    show(p.triesBox, tries.length);
    say(p.triesBox.children[0], `${count(g.attempts ? g.attempts.total : 0, "attempt")} to boot`);
    table(
        p.tries,
        ["Attempt", "Result", { n: "Took" }, "Reset before", "Stage", "Why"],
        tries.map(t => ({
            key: String(t.start_us),
            cells: [
                t.number,
                t.result,
                time(t.us),
                t.reset_before ?? "none",
                t.error ? t.error.stage : "",
                t.error ? t.error.text : ""
            ]
        }))
    );
}

// ---- all of them

let version = "",
    hostName = "";
const worst = levels => levels.reduce((a, b) => (LEVELS.indexOf(b) < LEVELS.indexOf(a) ? b : a), "ready");
function jump(index) {
    const c = $("gpu" + index);
    if (!c) return;
    c.scrollIntoView({ block: "start" });
    c.focus({ preventScroll: true });
}
function newChip(item) {
    const b = button("", () => jump(item.g.index));
    b.append(el("b"), el("span", undefined, "name"), el("span", undefined, "why"));
    return b;
}
function fillChip(b, { g, v }) {
    const [word, name, why] = b.children;
    say(b, undefined, v.level);
    say(word, `GPU ${g.index} ${v.word.toLowerCase()}`);
    say(name, gpuName(g));
    const running = g.stages.find(s => s.state === "running");
    say(
        why,
        v.level === "failed" && g.error
            ? `${g.error.stage}: ${g.error.kind}`
            : v.level === "degraded"
              ? complaints(g)[0].text
              : running
                ? `stage ${running.name}`
                : g.pci.address
    );
}
// Cards do not change places under somebody's eyes.
const TOP_PX = 100,
    FEW = 2; // more than a few: those that are well are folded
const beingRead = () =>
    window.scrollY > TOP_PX || $("gpus").contains(document.activeElement) || !getSelection().isCollapsed;
function asBefore(judged) {
    const was = [...$("gpus").children].map(c => c.dataset.key),
        at = j => (was.indexOf(j.key) < 0 ? was.length : was.indexOf(j.key));
    return [...judged].sort((a, b) => at(a) - at(b));
}
function showGpus(all) {
    gpus = all;
    const few = gpus.length <= FEW,
        judged = gpus.map(g => ({ key: String(g.index), index: g.index, g, few, v: verdict(g, nowUs()) }));
    const sorted = [...judged].sort(
        (a, b) => LEVELS.indexOf(a.v.level) - LEVELS.indexOf(b.v.level) || a.index - b.index
    );
    sync($("gpus"), beingRead() ? asBefore(judged) : sorted, newCard, fillCard);
    show($("strip"), gpus.length > 1);
    sync($("strip"), sorted, newChip, fillChip);
    say($("gpus"), undefined, gpus.length === 1 ? "one" : gpus.length ? "many" : "none");
    for (const id of ["mgpu", "rgpu"]) fillGpus($(id));
    fillGpus($("egpu"), "all GPUs");
    return judged;
}
// One sentence for all of them, and the worst of their states.
function overall(judged) {
    if (!judged.length) return { level: "absent", text: "No GPU found" };
    const level = worst(judged.map(j => j.v.level)),
        n = judged.filter(j => j.v.level === level).length,
        all = judged.length;
    const word = levelWord(level).toLowerCase();
    return {
        level,
        text:
            all === 1
                ? levelWord(level)
                : n === all
                  ? `All ${all} GPUs ${word}`
                  : `${n} of ${all} GPUs ${word}`
    };
}

// ---- orders

const ORDERS = {
    boot: {
        label: "Boot",
        when: ["failed", "unloaded", "absent"],
        words: "Brings the GPU up, stage after stage; in several attempts when one fails."
    },
    unload: {
        label: "Unload",
        when: ["ready"],
        words: "Takes the firmware down in order. Sessions, objects and what is in video memory are lost."
    },
    reset: {
        label: "Reset\u2026",
        when: ["ready", "failed", "unloaded"],
        words: "Resets the GPU over PCI Express. Sessions, objects and what is in video memory are lost; boot it afterwards."
    }
};
const ORDER_MS = 130000; // the appliance's own limit for an order is 120 s
async function order(g, name) {
    const o = ORDERS[name],
        kinds = name === "reset" ? ["auto", "function", "bus"] : [];
    const kind = await confirmed(
        `${o.label.replace("\u2026", "")} GPU ${g.index}, ${gpuName(g)}?`,
        o.words,
        kinds
    );
    if (kind === null) return;
    const line = $("gpu" + g.index).parts.answer,
        begun = Date.now();
    say(line, `gpu.${name} is under way.`, "answer");
    try {
        const r = await rpc("gpu." + name, kind ? { gpu: g.index, kind } : { gpu: g.index }, ORDER_MS);
        say(line, `gpu.${name} ended after ${span((Date.now() - begun) / 1000)}: ${r.state}.`, "answer");
    } catch (e) {
        say(line, `gpu.${name}: ${e.message}`, "answer bad");
    }
    refresh();
}
