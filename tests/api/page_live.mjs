// SPDX-License-Identifier: MIT
// The live page in a headless Chromium, against an appliance with two GPUs of which the second fails:
// page_live.mjs URL TOKEN.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Browser, chromiumPath } from "./chromium.mjs";

const [url, token] = process.argv.slice(2),
    LONG_MS = 120000;
if (!chromiumPath()) {
    console.log("skipped: no Chromium here (Debian: apt install chromium, or CHROMIUM=its path)");
    process.exit(0);
}
// The stand-in's answers have no key that the appliance's lack, or the tests would test another page.
function shape(made, real, where = "status") {
    if (Array.isArray(made))
        return made.length && real.length ? shape(made[0], real[0], where + "[]") : undefined;
    if (!made || !real || typeof made !== "object" || typeof real !== "object") return undefined;
    for (const key of Object.keys(made)) {
        assert.ok(
            Object.hasOwn(real, key),
            `${where}.${key} is in the fixture, not in the appliance's answer`
        );
        shape(made[key], real[key], `${where}.${key}`);
    }
    return undefined;
}
const browser = new Browser();
let done = 0;
try {
    const p = await browser.open(url, { dark: true });
    const text = css => p.eval(`document.querySelector(${JSON.stringify(css)}).textContent`),
        click = css => p.eval(`document.querySelector(${JSON.stringify(css)}).click()`);
    const steps = {
        async "one comes up, one fails, and that is what is seen first"() {
            await p.until(
                "document.querySelector('#gpu1 .word')?.textContent === 'Failed' && document.querySelector('#gpu0 .word').textContent === 'Ready'",
                "both are at rest",
                LONG_MS
            );
            assert.match(await p.eval("document.title"), /^1 of 2 GPUs failed/);
            assert.match(await text("#strip button"), /^GPU 1 failed/);
            const box = await text("#gpu1 .failure");
            assert.match(box, /What failed: stage (sequencer|init-done)/);
            assert.match(box, /What this stage is: \S.*What to try: \S/);
            assert.equal(await p.eval("document.querySelectorAll('#gpu0 .stages .ok').length"), 20);
        },
        async "fixtures have the appliance's shape"() {
            const real = JSON.parse(await p.eval("get('/api/v1/status').then(r => r.text)"));
            shape(
                JSON.parse(
                    readFileSync(join(dirname(fileURLToPath(import.meta.url)), "fixtures/two.json"), "utf8")
                ),
                real
            );
        },
        async "the log, and its sections' methods"() {
            await p.until("document.querySelectorAll('#log span').length > 10");
            await p.eval(
                `setToken(${JSON.stringify(token)}); for (const id of ["memory", "registers", "console"]) $(id).open = true`
            );
            await p.until(
                "document.querySelectorAll('#cmethod option').length > 30 && document.querySelectorAll('#rlist option').length > 100"
            );
            await p.until("document.querySelectorAll('#mmap .piece').length > 2");
        },
        async "a register is read and decoded"() {
            await p.eval("$('rfind').value = 'NV_PMC_BOOT_42'; listRegisters()");
            await click("#rread");
            await p.until(
                "document.querySelector('#rsaid').textContent.includes('0x172a1000')",
                "BOOT_42 of a GA102"
            );
        },
        async "sensors come by the stream, and their lines move"() {
            assert.equal(await p.eval("streaming"), true, "there is a stream");
            // Those of the stream name their GPU, those of the status stand in it.
            await p.eval(
                `{ const take = remember; window.came = 0; remember = (index, sensors, at) => { take(index, sensors, at); if (sensors?.gpu === 0) came++; }; }`
            );
            const line = `[...document.querySelectorAll("#gpu0 .tile polyline")].map(l => l.getAttribute("points")).join(";")`;
            await p.until(`came > 1 && (${line}).includes(" ")`, "values come, and lines are drawn", LONG_MS);
            const [before, n] = await p.eval(`[${line}, came]`);
            await p.until(`came > ${n} && ${line} !== ${JSON.stringify(before)}`, "the lines moved", LONG_MS);
        },
        async "memory is mapped by the API, and the walk of the page tables ends in it"() {
            const made = await p.eval(`(async () => {
                const { session } = await rpc("session.open", { gpu: 0 }),
                    { object, extents } = await rpc("memory.alloc", { session, bytes: 65536, contiguous: true }),
                    { vm } = await rpc("vm.create", { session, kind: "engines" }),
                    { va } = await rpc("vm.map", { session, vm, object, bytes: 65536, page: "4K" });
                Object.assign($("wsession"), { value: session });
                Object.assign($("wvm"), { value: vm });
                Object.assign($("wva"), { value: va });
                $("wgo").click();
                return { session, va, at: extents[0].address };
            })()`);
            await p.until("$('wend').textContent !== ''", "the walk's end");
            assert.match(await text("#wend"), new RegExp(`^${made.va} is mapped to ${made.at} in .*, a 4K page`));
            assert.ok((await p.eval("$('wlevels').children.length")) >= 4);
            await p.until("document.querySelectorAll('#mmap .piece.object').length > 0", "it is on the map");
            await p.eval(`rpc("session.close", { session: ${JSON.stringify(made.session)} })`);
        },
        async "a call by the console"() {
            await p.eval("$('cmethod').value = 'gpu.list'; showMethod()");
            await click("#cgo");
            await p.until("document.querySelector('#cout').textContent.includes('0000:01:00.0')");
        },
        async "unloaded and booted again, and the stream tells it as it happens"() {
            const newest = await p.eval("lastEvent");
            for (const [nth, word] of [
                [2, "Unloaded"],
                [1, "Ready"]
            ]) {
                await click(`#gpu0 .head .acts button:nth-child(${nth})`);
                await click("#askyes");
                await p.until(
                    `document.querySelector('#gpu0 .word').textContent === '${word}'`,
                    word,
                    LONG_MS
                );
            }
            await p.until(
                `["unloaded", "ready"].every(state => events.some(e => Number(e.id) > ${newest} && e.event === "state" && e.gpu === 0 && e.state === state))`,
                "both events, heard live"
            );
            await p.until("[...document.querySelectorAll('#events li.ok')].some(li => li.textContent.includes('ready'))");
            assert.equal(await p.eval("streaming"), true);
        },
        async "the browser complained of nothing, and asked nobody else"() {
            assert.deepEqual(p.errors, []);
            assert.deepEqual(
                p.requests.filter(u => !u.startsWith(url) && !u.startsWith("data:")),
                []
            );
        }
    };
    for (const [name, step] of Object.entries(steps)) {
        await step().catch(e => {
            throw new Error(`${name}: ${e.message}\n${e.stack}`);
        });
        done++;
    }
    console.log(
        `${done} of ${done} steps; events: ${await p.eval("streaming ? 'live, ' + events.length : 'none, polled'")}`
    );
} catch (e) {
    console.log(e.message);
    process.exitCode = 1;
} finally {
    await browser.close();
}
process.exit();
