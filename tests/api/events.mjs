// SPDX-License-Identifier: MIT
// A stranger listens: npm's eventsource (the browsers' interface) on /api/v1/events, through a proxy that cuts the
// connection while things happen. It comes back by itself; nothing may be lost or come twice.
// events.mjs URL TOKEN; run where node_modules is. Prints one line of JSON.
import { createRequire } from "node:module";
import net from "node:net";

const { EventSource } = createRequire(`${process.cwd()}/`)("eventsource");
const [url, token] = process.argv.slice(2);
const target = new URL(url);
const NAMES = ["stage", "state", "attempt", "xid", "gsp", "link", "address", "note"];
const LIMIT_MS = 60000;

// The proxy: what is open, and whether anybody gets through.
const open = new Set();
let cuts = 0, shut = false;
const proxy = net.createServer(near => {
    if (shut) {
        near.destroy();
        return;
    }
    const far = net.connect(Number(target.port), target.hostname);
    for (const [a, b] of [[near, far], [far, near]]) {
        open.add(a);
        a.on("data", data => b.write(data));
        a.on("error", () => {});
        a.on("close", () => { open.delete(a); b.destroy(); });
    }
});
await new Promise(done => proxy.listen(0, "127.0.0.1", done));
const cut = () => { cuts++; open.forEach(s => s.destroy()); };

async function call(method, params = {}) {
    const answer = await fetch(`${url}/rpc`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    return (await answer.json()).result;
}

const kept = [];
let changed = 0, opened = 0, wake = () => {};
const source = new EventSource(`http://127.0.0.1:${proxy.address().port}/api/v1/events`);
source.onopen = () => { opened++; };
for (const name of NAMES) {
    source.addEventListener(name, e => {
        kept.push({ id: Number(e.lastEventId), event: name, ...JSON.parse(e.data) });
        wake();
    });
}
source.addEventListener("changed", () => { changed++; });
source.addEventListener("gap", e => { kept.push({ event: "gap", data: e.data }); });

async function until(what, condition) {
    const end = Date.now() + LIMIT_MS;
    while (!condition()) {
        const left = end - Date.now();
        if (left <= 0) {
            throw new Error(`waited ${LIMIT_MS} ms for ${what}; have ${JSON.stringify(kept.slice(-3))}`);
        }
        await new Promise(done => { wake = done; setTimeout(done, Math.min(left, 1000)); });
    }
}
const states = () => kept.filter(e => e.event === "state").map(e => e.state);

await until("a GPU that is ready", () => states().includes("ready"));
shut = true;
cut();
await call("gpu.unload"); // while nobody listens
shut = false;
await until("the unload", () => states().includes("unloaded"));
cut();
await call("gpu.boot"); // while it is on its way back, or has come
await until("the second boot", () => states().filter(s => s === "ready").length === 2);

// The same events as a list, read by nobody's parser but JSON's.
const last = kept[kept.length - 1].id;
const list = await (await fetch(`${url}/api/v1/events?format=json`)).json();
const ids = list.events.map(e => e.id).filter(id => id <= last);
source.close();
proxy.close();
open.forEach(s => s.destroy());
console.log(JSON.stringify({
    cuts,
    came_back: opened - 1,
    in_order: kept.every((e, i) => i === 0 || e.id === kept[i - 1].id + 1),
    all: JSON.stringify(kept.map(e => e.id)) === JSON.stringify(ids),
    same: JSON.stringify(kept) === JSON.stringify(list.events.filter(e => e.id <= last)),
    states: states(),
    stages: kept.filter(e => e.event === "stage" && e.state !== "running").length,
    changed: changed > 0,
}));
