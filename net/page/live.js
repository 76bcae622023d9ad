// SPDX-License-Identifier: MIT
// What keeps the page alive: the stream of events, or polling where there is none; theme, keys, token.

const POLL_MS = 1000,
    SLOW_MS = 10000,
    LOST_MS = 2000,
    SILENT_MS = 40000,
    STREAM_AGAIN_MS = 15000;
let status = null,
    statusAt = 0,
    answered = 0,
    streaming = false,
    refreshBusy = false,
    refreshAgain = false,
    refreshTimer,
    levelsBefore = new Map();
// The appliance's clock, as it has gone on since it was asked: microseconds since hand-off.
const nowUs = () => (status ? status.appliance.uptime_ms * 1000 + (performance.now() - statusAt) * 1000 : 0);

// ---- the status

function showStatus(s) {
    const a = s.appliance;
    if (status && a.uptime_ms < status.appliance.uptime_ms) {
        // another life of it
        events = [];
        lastEvent = 0;
        past.clear();
        announce("The appliance has started again");
        streamStop.abort();
    }
    status = s;
    statusAt = answered = performance.now();
    hostName = a.hostname || location.hostname;
    version = a.version;
    for (const g of s.gpus) remember(g.index, g.sensors);
    const judged = showGpus(s.gpus),
        all = overall(judged);
    say($("host"), hostName);
    say($("machine"), `${a.machine || "unknown machine"} \u00b7 Firstlight ${a.version}`);
    say($("overall"), all.text, "state " + all.level);
    document.title = `${all.text} \u00b7 ${hostName} \u00b7 Firstlight`;
    icon(all.level);
    show($("nogpu"), !s.gpus.length);
    for (const { index, v } of judged) {
        if (levelsBefore.has(index) && levelsBefore.get(index) !== v.level)
            announce(`GPU ${index}: ${v.word}. ${v.line}`);
        levelsBefore.set(index, v.level);
    }
    show($("notes"), a.notes.length);
    sync(
        $("notelist"),
        a.notes.map((text, i) => ({ key: i + text, text })),
        () => el("li"),
        (li, n) => say(li, n.text)
    );
    table(
        $("nics"),
        ["Card", "PCI", "MAC", "Address", "State", { n: "Received" }, { n: "Sent" }],
        s.network.map((n, i) => ({
            key: String(i),
            cells: [
                n.driver,
                n.pci,
                n.mac,
                n.address ?? "none yet",
                n.error ? `${n.state}: ${n.error}` : n.state,
                count(n.rx_packets, "packet"),
                count(n.tx_packets, "packet")
            ]
        }))
    );
    table(
        $("devices"),
        ["Address", "Ids", "Kind", "Link"],
        s.devices.map(d => ({
            key: d.address,
            cells: [d.address, `${d.vendor}:${d.device}`, d.kind, linkWords(d.link)]
        }))
    );
    const m = a.memory;
    facts($("appliance"), [
        ["Up", span(a.uptime_ms / 1000)],
        ["First answer", `${Math.round(a.handoff_to_first_answer_ms)} ms after hand-off`],
        ["Memory", m ? `${size(m.used_bytes)} of ${size(m.total_bytes)}` : ""],
        ["Requests", a.http ? `${a.http.requests}, slowest ${time(a.http.slowest_us)}` : ""],
        ["TLS", a.tls && a.tls.enabled ? a.tls.fingerprint : "", true]
    ]);
    tick();
}
// Asks for the status, never twice at once.
async function refresh() {
    if (refreshBusy) {
        refreshAgain = true;
        return;
    }
    refreshBusy = true;
    clearTimeout(refreshTimer);
    let wait = streaming ? SLOW_MS : POLL_MS;
    try {
        const sent = token,
            r = await get("/api/v1/status");
        if (r.status === 401) {
            if (sent === token) setToken(""); // not one that was given meanwhile
            say($("lost"), "This appliance shows itself only to who has its token. ", "");
            show($("lost"), true);
            show($("lostgo"), true);
            wait = SLOW_MS;
        } else if (r.status !== 200) {
            throw new Error(`status ${r.status}: ${seen(r.text.slice(0, 200))}`);
        } else {
            showStatus(parse(r.text));
            if (!$("lost").hidden) streamIn(0); // it is back
            show($("lost"), false);
            show($("lostgo"), false);
        }
    } catch (e) {
        wait = LOST_MS;
        lost(e.message);
    }
    refreshBusy = false;
    feed();
    refreshTimer = setTimeout(refresh, refreshAgain ? 0 : wait);
    refreshAgain = false;
}
function lost(why) {
    const words =
        why !== NO_ANSWER
            ? `What the appliance answers cannot be shown: ${why}. It is asked again.`
            : status
              ? "No answer from the appliance. What is below is the last that was heard; it is asked again every few seconds. Is the machine on, and its network cable in?"
              : "No answer from the appliance yet. It is asked again every few seconds.";
    say($("lost"), words);
    show($("lost"), true);
    if (!status) return;
    document.title = `No answer \u00b7 ${hostName} \u00b7 Firstlight`;
    icon("failed");
}
function feed() {
    const late = answered ? (performance.now() - answered) / 1000 : 0,
        here = $("lost").hidden;
    say(
        $("feed"),
        !here
            ? answered
                ? `last heard ${span(late)} ago`
                : "no answer yet"
            : streaming
              ? "live"
              : "asked every second",
        here ? "feed" : "feed bad"
    );
}
// Once a second: what moves on by itself.
function tick() {
    if (!status) return;
    if ($("lost").hidden) {
        say($("uptime"), "up " + span(nowUs() / 1e6));
        if (status.gpus.some(g => g.state === "booting")) showGpus(status.gpus);
    }
    agesOn();
    feed();
}
function icon(level) {
    const colour =
        { ready: "%232ea043", failed: "%23e5484d", degraded: "%23f5b83d", booting: "%234c8dff" }[level] ??
        "%237d8896";
    const href = `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='8' r='8' fill='${colour}'/><circle cx='8' cy='8' r='3' fill='%23fff'/></svg>`;
    if ($("icon").href !== href) $("icon").href = href;
}

// ---- the stream: server-sent events, read with fetch() because EventSource cannot show a token

// Takes pieces of text, gives whole events to then(event, id, data).
function sseParser(then) {
    let rest = "",
        event = "",
        data = [],
        id = "";
    return piece => {
        const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
        rest = lines.pop();
        for (const line of lines) {
            if (!line) {
                if (data.length) then(event || "message", id, data.join("\n"));
                event = id = "";
                data = [];
                continue;
            }
            const colon = line.indexOf(":"),
                name = colon < 0 ? line : line.slice(0, colon),
                value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
            if (name === "event") event = value;
            else if (name === "data") data.push(value);
            else if (name === "id") id = value;
        }
    };
}
function heard(event, id, text) {
    let data;
    try {
        data = parse(text);
    } catch (e) {
        return;
    }
    if (typeof data !== "object" || !data) return;
    if (event === "sensors") {
        const g = gpus.find(g => g.index === data.gpu);
        if (!g) return;
        g.sensors = data;
        answered = performance.now();
        remember(g.index, data);
        showGpus(gpus);
    } else if (event === "changed") {
        refresh();
    } else if (addEvent(seen(event), id, data)) {
        drawSoon();
        refresh();
    }
}
let drawTimer;
function drawSoon() {
    drawTimer ??= setTimeout(() => {
        drawTimer = undefined;
        drawEvents();
    }, 50);
}
let streamStop = new AbortController(),
    streamTimer,
    streamBusy = false;
function streamIn(ms) {
    clearTimeout(streamTimer);
    streamTimer = setTimeout(stream, ms);
}
async function stream() {
    if (streamBusy) return;
    streamBusy = true;
    const stop = (streamStop = new AbortController());
    let silence,
        again = STREAM_AGAIN_MS;
    const alive = () => {
        clearTimeout(silence);
        silence = setTimeout(() => stop.abort(), SILENT_MS);
    };
    try {
        alive();
        const res = await fetch(`/api/v1/events?after=${lastEvent}`, {
            headers: headers({ Accept: "text/event-stream" }),
            cache: "no-store",
            signal: stop.signal
        });
        if (!res.ok || !(res.headers.get("Content-Type") ?? "").startsWith("text/event-stream"))
            throw new Error(String(res.status));
        streaming = true;
        again = LOST_MS;
        eventsWord = "None yet.";
        drawSoon();
        refresh();
        const reader = res.body.pipeThrough(new TextDecoderStream()).getReader(),
            take = sseParser(heard);
        for (;;) {
            const { value, done } = await reader.read();
            if (done) break;
            alive();
            take(value);
        }
    } catch (e) {
        if (!streaming)
            eventsWord =
                "This appliance gives no stream of events: its state is asked for every second instead.";
    }
    stop.abort();
    clearTimeout(silence);
    streaming = streamBusy = false;
    drawSoon();
    refresh();
    streamIn(again);
}

// ---- theme: what was chosen stands in the address, nothing is kept in the browser

const THEMES = ["auto", "light", "dark"];
let theme = new URLSearchParams(location.search).get("theme");
function setTheme(to) {
    theme = THEMES.includes(to) ? to : "auto";
    document.documentElement.className = theme === "auto" ? "" : theme;
    say($("theme"), `Theme: ${theme}`);
    if (location.search || theme !== "auto")
        history.replaceState(null, "", theme === "auto" ? location.pathname : "?theme=" + theme);
}
const nextTheme = () => setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);

// ---- questions to the reader: is it meant, and what is the token

let answerAsk = null;
function setToken(text) {
    token = text;
    say($("tokenopen"), token ? "Token: set" : "Token\u2026");
}
// "" or the chosen kind; null: no.
function confirmed(title, words, kinds = []) {
    say($("asktitle"), title);
    say($("askwords"), words);
    say($("askwrong"), "");
    $("askkind").replaceChildren(...kinds.map(k => el("option", k)));
    show($("askkindbox"), kinds.length);
    show($("asktokenbox"), !token || title === TOKEN_TITLE);
    $("asktoken").value = "";
    if (answerAsk) answerAsk(null);
    if (!$("ask").open) $("ask").showModal();
    (token && title !== TOKEN_TITLE ? $("askno") : $("asktoken")).focus();
    return new Promise(done => {
        answerAsk = done;
    });
}
const TOKEN_TITLE = "The token";
const TOKEN_WORDS =
    "What changes something needs the appliance\u2019s token: the one of its config file, or the one that its screen shows. It stays in this page until that is closed.";
async function tokenGiven() {
    return Boolean(token) || (await confirmed(TOKEN_TITLE, TOKEN_WORDS)) !== null;
}
function endAsk(yes) {
    if (yes && !$("asktokenbox").hidden) {
        const text = $("asktoken").value.trim();
        if (!TOKEN_SHAPE.test(text))
            return say($("askwrong"), "The token has letters and digits, without spaces.");
        setToken(text);
    }
    const then = answerAsk;
    answerAsk = null;
    $("ask").close();
    if (then) then(yes ? $("askkind").value : null);
}
$("askform").addEventListener("submit", e => {
    e.preventDefault();
    endAsk(true);
});
$("askno").addEventListener("click", () => endAsk(false));
$("ask").addEventListener("cancel", () => endAsk(false));
$("tokenopen").addEventListener("click", async () => {
    if ((await confirmed(TOKEN_TITLE, TOKEN_WORDS)) !== null) refresh();
});
$("lostgo").addEventListener("click", () => $("tokenopen").click());

// ---- keys

function openSection(id) {
    $(id).open = true;
    $(id).scrollIntoView({ block: "start" });
    $(id).children[0].focus({ preventScroll: true });
}
const worstFirst = () => {
    if ($("strip").children.length) $("strip").children[0].click();
    else if (gpus.length) jump(gpus[0].index);
};
const KEYS = {
    "w": ["the worst GPU", worstFirst],
    "1": ["GPU 0, and so on to 9"],
    "e": ["events", () => openSection("eventbox")],
    "l": ["the log", () => openSection("logs")],
    "m": ["GPU memory", () => openSection("memory")],
    "r": [
        "registers",
        () => {
            openSection("registers");
            $("rfind").focus();
        }
    ],
    "c": [
        "the RPC console",
        () => {
            openSection("console");
            $("cmethod").focus();
        }
    ],
    "k": ["the token", () => $("tokenopen").click()],
    "t": ["light, dark, or as the system", nextTheme],
    "?": ["this list", () => $("help").showModal()]
};
document.addEventListener("keydown", e => {
    if (e.ctrlKey || e.altKey || e.metaKey || !$("keyson").checked || document.querySelector("dialog[open]"))
        return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
    const digit = /^[1-9]$/.test(e.key),
        then = digit ? () => jump(Number(e.key) - 1) : Object.hasOwn(KEYS, e.key) && KEYS[e.key][1];
    if (!then) return;
    e.preventDefault();
    then();
});
for (const [key, [words]] of Object.entries(KEYS))
    $("keylist").append(box("div", "", box("dt", "", el("kbd", key)), el("dd", words)));
$("helpopen").addEventListener("click", () => $("help").showModal());
$("helpno").addEventListener("click", () => $("help").close());
$("theme").addEventListener("click", nextTheme);

setTheme(theme);
setInterval(tick, 1000);
refresh();
stream();
readLog();
