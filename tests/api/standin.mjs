// SPDX-License-Identifier: MIT
// A stand-in for the appliance: answers in the form of its API, made from what a real one answered
// (fixtures/), changed for each scene. As a program: standin.mjs SCENE PORT
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url)),
    PAGE = join(HERE, "../../net/page");
const json = name => JSON.parse(readFileSync(join(HERE, "fixtures", name), "utf8"));
const LOGS = json("logs.json");
export const TOKEN = "bench-token-1";
export const composed = () =>
    JSON.parse(execFileSync("python3", [join(PAGE, "gen.py"), PAGE, "-"], { maxBuffer: 1 << 24 }));

// ---- strings of strangers, in every place where one can stand

export const HOSTILE = [
    "<script>document.title='taken'</script>",
    `<img src=x onerror="document.title='taken'">"'&amp;<!--`,
    "\u202egnp.exe\u2066 RTL",
    "\u{1F525}\u{1F9EA}\u200d\u{1F680}",
    "x".repeat(10000),
    "\0\b\u001b[31m\ufffd",
    "javascript:document.title='taken'",
    "${alert(1)}`",
    "__proto__"
];
let turn = 0;
const NUMBERS = /^(0x[0-9a-f]+|[0-9.]+)$/i;
// Every string of a value becomes a hostile one, but those that the page computes with.
function hostile(value, key) {
    if (typeof value === "string")
        return ["state", "group", "unit", "key", "uptime_ms"].includes(key) || NUMBERS.test(value)
            ? value
            : HOSTILE[turn++ % HOSTILE.length];
    if (Array.isArray(value)) return value.map(v => hostile(v, key));
    if (!value || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, hostile(v, k)]));
}

// ---- scenes

const VALUES = {
    // key: [value, unit, group, how far it wanders]
    temperature_gpu: [41000, "millicelsius", "temperature", 1500],
    temperature_memory: [52000, "millicelsius", "temperature", 1000],
    power_gpu: [61300, "milliwatts", "power", 9000],
    power_module: [74800, "milliwatts", "power", 9000],
    power_limit_enforced: [350000, "milliwatts", "power", 0],
    clock_graphics: [1695e6, "hertz", "clocks", 120e6],
    clock_memory: [9501e6, "hertz", "clocks", 0],
    clock_sm: [1695e6, "hertz", "clocks", 120e6],
    utilization_gpu: [37, "percent", "utilization", 20],
    utilization_memory: [12, "percent", "utilization", 8],
    pstate: [8, "number", "pstate", 0],
    ecc_corrected_volatile: [0, "count", "ecc", 0],
    ecc_uncorrected_volatile: [0, "count", "ecc", 0],
    ecc_corrected_aggregate: [0, "count", "ecc", 0],
    ecc_uncorrected_aggregate: [0, "count", "ecc", 0],
    remap_correctable: [0, "count", "remap", 0],
    remap_uncorrectable: [0, "count", "remap", 0],
    remap_pending: [0, "flag", "remap", 0],
    remap_failed: [0, "flag", "remap", 0],
    pcie_replays: [0, "count", "pcie", 0],
    pcie_naks_received: [0, "count", "pcie", 0],
    pcie_bad_tlps: [0, "count", "pcie", 0]
};
// The n-th sampling round of GPU i: the same each time, so that screenshots are.
function sensors(i, n, changes = {}) {
    const values = {};
    for (const [key, [value, unit, group, wander]] of Object.entries(VALUES)) {
        const wave = Math.sin((n + i * 9) / 7) * 0.6 + Math.sin(((n + 3) * (i + 2)) / 3.1) * 0.4;
        values[key] = { value: Math.round(changes[key] ?? value + wave * wander), unit, group, age_ms: 310 };
    }
    return {
        source: "shared page",
        samples: n,
        period_ms: 1000,
        values,
        throttle_reasons: changes.throttle_reasons ?? ["gpu_idle"],
        refused: [{ cmd: "0x20808513", status: "0x56", count: 1 }]
    };
}
const kept = (event, at_ms, gpu, words, more = {}) => ({
    event,
    at_ms,
    ...(gpu === undefined ? {} : { gpu }),
    text: words,
    ...more
});
// What happened to a GPU, from its own stages.
function story(g) {
    const all = [
        kept("state", 75.7, g.index, `GPU ${g.index} is booting`, { state: "booting", previous: "absent" })
    ];
    for (const s of g.stages) {
        if (["ok", "failed"].includes(s.state))
            all.push(
                kept(
                    "stage",
                    (s.start_us + s.us) / 1000,
                    g.index,
                    s.state === "ok"
                        ? `stage ${s.name} done after ${s.us} \u00b5s`
                        : `stage ${s.name} failed: ${g.error.text}`,
                    { stage: s.name, state: s.state, us: s.us }
                )
            );
    }
    if (["ready", "failed"].includes(g.state))
        all.push(
            kept(
                "state",
                Math.max(...g.stages.map(s => s.start_us + s.us)) / 1000,
                g.index,
                `GPU ${g.index} is ${g.state}`,
                { state: g.state, previous: "booting" }
            )
        );
    return all;
}
const copy = v => JSON.parse(JSON.stringify(v));
function scene(status, more = {}) {
    const s = { status: copy(status), events: [], changes: {}, ...more };
    s.status.appliance.uptime_ms = 4 * 3600e3 + 7 * 60e3;
    s.events = [
        kept("address", 66.2, undefined, "net0 has the address 10.0.2.15", { nic: 0, address: "10.0.2.15" }),
        ...s.status.gpus.flatMap(story),
        ...(more.events ?? [])
    ].sort((a, b) => a.at_ms - b.at_ms);
    return s;
}
// Half way: the stages up to `stop` are done, that one runs.
function halfway(status, stop) {
    const s = copy(status),
        g = s.gpus[0],
        at = g.stages.findIndex(x => x.name === stop);
    g.state = "booting";
    g.error = null;
    g.uuid = g.name = "";
    g.stages.forEach((x, i) => {
        if (i >= at)
            Object.assign(x, {
                state: i === at ? "running" : "pending",
                us: 0,
                start_us: i === at ? x.start_us || 300000 : 0,
                reads: 0,
                writes: 0,
                error: null
            });
    });
    g.attempts = { total: 0, last: [] };
    s.appliance.uptime_ms = g.stages[at].start_us / 1000 + 1800;
    return s;
}
export const SCENES = {
    ready: () => scene(json("ready.json")),
    booting() {
        const s = scene(halfway(json("ready.json"), "booter"));
        s.status.appliance.uptime_ms =
            s.status.gpus[0].stages.find(x => x.state === "running").start_us / 1000 + 1800;
        return s;
    },
    failed: () => scene(json("two.json"), { log: LOGS.failed }),
    degraded() {
        const s = json("ready.json"),
            g = s.gpus[0];
        g.xid = { count: 1, last: 48, text: "double-bit ECC error" };
        g.pci.link.width = 8;
        g.attempt = 2;
        s.appliance.notes = ["firstlight.conf line 4: 'log_levl' is not a key; is 'log_level' meant?"];
        return scene(s, {
            changes: {
                ecc_uncorrected_volatile: 1,
                remap_pending: 1,
                temperature_gpu: 91000,
                throttle_reasons: ["hw_thermal_slowdown"]
            },
            events: [
                kept(
                    "xid",
                    7421882,
                    0,
                    "Xid 48: double-bit ECC error. Reset the GPU; when it comes again, change the board.",
                    { xid: 48, meaning: "double-bit ECC error", action: "reset the GPU" }
                )
            ]
        });
    },
    nogpu: () => scene(json("nogpu.json"), { log: LOGS.nogpu }),
    linklost() {
        const s = json("ready.json"),
            g = s.gpus[0],
            before = story(g);
        Object.assign(g, { state: "failed", error: { ...json("lost.json").gpus[0].error, stage: "ready" } });
        g.pci.link = null;
        const lost = scene(s, {
            events: [
                ...before,
                kept("link", 14820310, 0, "0000:01:00.0 no longer answers", {
                    device: "0000:01:00.0",
                    up: false
                }),
                kept("state", 14820311, 0, "GPU 0 is failed: link lost", {
                    state: "failed",
                    previous: "ready"
                })
            ]
        });
        lost.events = lost.events.filter(
            (e, i, all) =>
                all.findIndex(o => o.text === e.text) === i && !(e.state === "failed" && e.at_ms < 14820310)
        );
        return lost;
    },
    many() {
        const two = json("two.json"),
            s = copy(two);
        s.gpus = Array.from({ length: 8 }, (_, i) => {
            const g = copy(two.gpus[i === 5 ? 1 : 0]);
            g.index = i;
            g.pci.address = `0000:${(i + 1).toString(16).padStart(2, "0")}:00.0`;
            g.uuid = g.uuid && g.uuid.slice(0, -2) + String(i).padStart(2, "0");
            return g;
        });
        s.gpus[2].xid = { count: 3, last: 79, text: "GPU has fallen off the bus" };
        return scene(s);
    },
    hostile() {
        turn = 0;
        const two = json("two.json");
        two.appliance.notes = HOSTILE;
        two.gpus[0].xid = { count: 2, last: 13, text: "x" };
        const s = scene(hostile(two));
        s.events = hostile(s.events).concat(
            HOSTILE.map((words, i) => kept("note", 9000 + i, undefined, words))
        );
        s.hostile = true;
        return s;
    }
};

// ---- the server

const REGISTERS = json("registers.json"),
    DISCOVER = json("discover.json"),
    MEMORY = json("memory.json");
export class StandIn {
    constructor(name, { stream = true, readToken = false } = {}) {
        this.page = composed();
        this.streams = new Set();
        this.asked = [];
        this.allow = { stream, readToken };
        this.become(name);
    }
    become(name) {
        Object.assign(this, { log: undefined, hostile: false, name, ...SCENES[name](), round: 0 });
        this.born = performance.now();
        this.events.forEach((e, i) => {
            e.id = i + 1;
        });
        this.bornMs = this.status.appliance.uptime_ms;
        this.sample();
    }
    sample() {
        this.round++;
        for (const g of this.status.gpus)
            if (g.state === "ready") g.sensors = sensors(g.index, this.round, this.changes);
            else delete g.sensors;
    }
    now() {
        return this.bornMs + performance.now() - this.born;
    }
    body() {
        this.status.appliance.uptime_ms = this.now();
        return JSON.stringify(this.status);
    }
    // One more kept event, told to all streams.
    tell(event, more) {
        const e = { at_ms: this.now(), ...more, event, id: this.events.length + 1 };
        this.events.push(e);
        for (const res of this.streams) this.write(res, e);
    }
    write(res, { event, id, ...data }) {
        res.write(`${id ? `id: ${id}\n` : ""}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    }
    changed(gpu = 0) {
        for (const res of this.streams) this.write(res, { event: "changed", gpu, generation: ++this.round });
    }
    sampled() {
        this.sample();
        for (const g of this.status.gpus)
            if (g.sensors)
                for (const res of this.streams)
                    this.write(res, { event: "sensors", gpu: g.index, ...g.sensors });
    }
    answer(c, authorized) {
        const p = c.params ?? {},
            error = (code, message, data) => ({ error: { code, message, ...(data ? { data } : {}) } });
        const register = REGISTERS.find(r => r.name === String(p.register).replace(/\(.*/, ""));
        const method = DISCOVER.methods.find(m => m.name === c.method);
        if (!method) return error(-32601, "there is no such method");
        if (method.summary.includes("needs the token") && !authorized)
            return error(-32001, `${c.method} needs the token (Authorization: Bearer ...)`);
        const value = p.value ?? "0x172a1000",
            words = this.hostile ? HOSTILE[0] : undefined;
        switch (c.method) {
            case "rpc.discover":
                return { result: this.hostile ? hostile(DISCOVER) : DISCOVER };
            case "registers.list":
                return { result: REGISTERS };
            case "registers.read":
            case "registers.write":
                if (!register)
                    return error(-32602, `there is no register '${p.register}'`, {
                        hint: "nearest: NV_PMC_BOOT_0"
                    });
                return {
                    result: {
                        name: register.name,
                        offset: register.offset,
                        value: String(value),
                        fields: Object.fromEntries(
                            Object.entries(register.fields).map(([f, bits]) => {
                                const [hi, lo] = bits.split(":").map(Number);
                                return [
                                    f,
                                    Number((BigInt(value) >> BigInt(lo)) & ((1n << BigInt(hi - lo + 1)) - 1n))
                                ];
                            })
                        )
                    }
                };
            case "memory.stats":
                return { result: this.status.gpus[p.gpu]?.state === "ready" ? MEMORY.stats : MEMORY.unused };
            case "memory.list":
                return { result: this.status.gpus[p.gpu]?.state === "ready" ? MEMORY.list : [] };
            case "vm.walk":
                return { result: MEMORY.walk };
            case "gpu.status":
                return { result: this.status.gpus[p.gpu ?? 0] };
            case "session.open":
                return {
                    result: {
                        session: "0123456789abcdef0123456789abcdef",
                        gpu: 0,
                        client: "0xc1d10000",
                        idle_s: 300
                    }
                };
            case "gpu.boot":
            case "gpu.unload":
            case "gpu.reset": {
                const g = this.status.gpus[p.gpu ?? 0];
                if (this.refuse)
                    return error(-32000, words ?? g.error?.text ?? "it went wrong", {
                        hint: "look at the log"
                    });
                g.state = c.method === "gpu.boot" ? "ready" : "unloaded";
                this.tell("state", { gpu: g.index, state: g.state, text: `GPU ${g.index} is ${g.state}` });
                this.changed(g.index);
                return { result: { state: g.state, attempts: g.attempts } };
            }
            default:
                return { result: {} };
        }
    }
    #rpc(req, res, body) {
        const calls = JSON.parse(body),
            authorized = req.headers.authorization === `Bearer ${TOKEN}`;
        const wrong = req.headers.authorization && !authorized;
        for (const c of [].concat(calls)) this.asked.push({ method: c.method, params: c.params, authorized });
        if (wrong) return this.#problem(res, 401, "Unauthorized", "the token is wrong");
        const one = c => ({ jsonrpc: "2.0", id: c.id, ...this.answer(c, authorized) }),
            a = Array.isArray(calls) ? calls.map(one) : one(calls);
        res.writeHead(a.error?.code === -32001 ? 401 : 200, { "Content-Type": "application/json" }).end(
            JSON.stringify(a)
        );
    }
    #problem(res, status, title, detail) {
        res.writeHead(status, { "Content-Type": "application/problem+json" }).end(
            JSON.stringify({ type: "about:blank", title, status, detail })
        );
    }
    #get(req, res) {
        const url = new URL(req.url, "http://x"),
            send = (type, body) =>
                res.writeHead(200, { "Content-Type": type, "Cache-Control": "no-store" }).end(body);
        if (url.pathname === "/") {
            return res
                .writeHead(200, {
                    "Content-Type": "text/html; charset=utf-8",
                    "Content-Security-Policy": this.page.policy,
                    "X-Content-Type-Options": "nosniff"
                })
                .end(this.page.html);
        }
        if (this.allow.readToken && req.headers.authorization !== `Bearer ${TOKEN}`)
            return this.#problem(res, 401, "Unauthorized", "reading needs the token");
        if (url.pathname === "/api/v1/status") return send("application/json", this.body());
        if (url.pathname === "/api/v1/log")
            return send(
                "text/plain; charset=utf-8",
                this.hostile
                    ? HOSTILE.map((h, i) => `[    0.00000${i}] warn  ${h}`).join("\n")
                    : (this.log ?? LOGS.ready)
            );
        if (url.pathname === "/api/v1/events" && this.allow.stream) {
            res.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
            res.write("retry: 2000\n\n: keep-alive\n\n");
            this.streams.add(res);
            res.on("close", () => this.streams.delete(res));
            for (const e of this.events)
                if (e.id > Number(url.searchParams.get("after") ?? 0)) this.write(res, e);
            return undefined;
        }
        return this.#problem(res, 404, "Not Found", `there is no ${url.pathname}`);
    }
    async start(port = 0) {
        this.server = createServer((req, res) => {
            if (req.method !== "POST") return this.#get(req, res);
            let body = "";
            req.on("data", d => {
                body += d;
            }).on("end", () => this.#rpc(req, res, body));
            return undefined;
        });
        await new Promise(done => this.server.listen(port, "127.0.0.1", done));
        this.port = this.server.address().port;
        this.url = `http://127.0.0.1:${this.port}/`;
        return this;
    }
    // As a machine that was switched off.
    async stop() {
        for (const res of this.streams) res.destroy();
        this.server.closeAllConnections();
        await new Promise(done => this.server.close(done));
    }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const s = await new StandIn(process.argv[2] ?? "ready").start(Number(process.argv[3] ?? 8090));
    setInterval(() => s.sampled(), 1000);
    console.log(s.url);
}
