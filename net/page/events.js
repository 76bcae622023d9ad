// SPDX-License-Identifier: MIT
// Events, and the appliance's log.

const EVENTS_MAX = 500;
const KINDS = ["stage", "state", "attempt", "xid", "gsp", "link", "address", "note", "gap"];
let events = [],
    lastEvent = 0;
const eventLevel = e =>
    e.event === "xid" || e.state === "failed" || e.up === false || e.event === "gap"
        ? "error"
        : e.event === "note" || (e.event === "attempt" && e.result !== "ok")
          ? "warn"
          : e.event === "state" && e.state === "ready"
            ? "ok"
            : "";
const clockAt = ms => (ms / 1000).toFixed(3);
function eventText(e) {
    if (e.text) return String(e.text);
    if (e.event === "gap") return `${count(e.lost, "event")} lost: the ring is shorter than what happened.`;
    const { id, event, at_ms, gpu, ...more } = e;
    return JSON.stringify(more);
}
function addEvent(event, id, data) {
    const number = Number(id);
    if (id && number <= lastEvent) return false;
    if (id) lastEvent = number;
    events.push({ ...data, event, id });
    if (events.length > EVENTS_MAX) events.shift();
    return true;
}
let eventSerial = 0;
function drawEvents() {
    const kind = $("ekind").value,
        gpu = $("egpu").value,
        near = nearEnd($("events"));
    const shown = events.filter(e => (!kind || e.event === kind) && (!gpu || String(e.gpu) === gpu));
    for (const e of shown) e.key ??= String(++eventSerial);
    sync(
        $("events"),
        shown,
        () => box("li", "", el("time"), el("b"), el("span", undefined, "of"), el("span")),
        (li, e) => {
            const [at, name, of, text] = li.children;
            say(li, undefined, eventLevel(e));
            say(at, e.at_ms === undefined ? "" : clockAt(e.at_ms));
            say(name, e.event);
            say(of, e.gpu === undefined ? "" : `GPU ${e.gpu}`);
            say(text, eventText(e));
        }
    );
    say($("enone"), shown.length ? "" : events.length ? "None of these." : eventsWord);
    if (near) $("events").scrollTop = $("events").scrollHeight;
}
let eventsWord = "None yet.";
const nearEnd = e => e.scrollTop + e.clientHeight >= e.scrollHeight - 8;

// ---- the log: lines that are there already are not touched

const LOG_LINES = 1000,
    LOG_MS = 2000;
const LOG_LEVELS = ["error", "warn", "info", "debug", "trace"];
const logLevel = line => (line.match(/\] (error|warn|info|debug|trace)/) ?? ["", ""])[1];
let logLines = [],
    logBase = 0,
    logTimer,
    logBusy = false;
// The ring forgets its beginning: finds how many of the old lines are gone. -1: all of them.
function gone(old, now) {
    if (!old.length) return 0;
    const at = old.indexOf(now[0]);
    for (let i = at; i >= 0; i = old.indexOf(now[0], i + 1))
        if (old.slice(i).every((l, k) => l === now[k])) return i;
    return -1;
}
function takeLog(text) {
    const now = text.trimEnd().split("\n").map(seen).filter(Boolean).slice(-LOG_LINES),
        n = gone(logLines, now);
    logBase += n < 0 ? logLines.length : n;
    logLines = now;
    drawLog();
}
function drawLog() {
    const most = LOG_LEVELS.indexOf($("llevel").value),
        want = $("lfind").value.toLowerCase(),
        near = nearEnd($("log"));
    const lines = logLines
        .map((text, i) => ({ key: String(logBase + i), text, level: logLevel(text) }))
        .filter(
            l => (!l.level || LOG_LEVELS.indexOf(l.level) <= most) && l.text.toLowerCase().includes(want)
        );
    sync(
        $("log"),
        lines,
        () => el("span"),
        (e, l) => say(e, l.text + "\n", l.level)
    );
    if (near) $("log").scrollTop = $("log").scrollHeight;
}
async function readLog() {
    clearTimeout(logTimer);
    if (logBusy || !$("logs").open || document.hidden) return;
    logBusy = true;
    try {
        const r = await get("/api/v1/log");
        if (r.status === 200) takeLog(r.text);
    } catch (e) {
        /* the banner says that nobody answers */
    }
    logBusy = false;
    logTimer = setTimeout(readLog, LOG_MS);
}
$("ekind").append(
    ...["", ...KINDS].map(k => {
        const o = el("option", k || "all kinds");
        o.value = k;
        return o;
    })
);
for (const id of ["ekind", "egpu"]) $(id).addEventListener("change", drawEvents);
for (const id of ["llevel", "lfind"]) $(id).addEventListener("input", drawLog);
$("logs").addEventListener("toggle", readLog);
$("logacts").append(
    copyButton("the log", () => logLines.join("\n")),
    " ",
    anchor("as text", "/api/v1/log")
);
$("eventacts").append(
    copyButton("the events", () => events.map(e => JSON.stringify({ ...e, key: undefined })).join("\n")),
    " ",
    anchor("as JSON", "/api/v1/events?format=json")
);
