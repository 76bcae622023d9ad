// SPDX-License-Identifier: MIT
// The live page in a headless Chromium, against an appliance with two GPUs of which the second fails:
// page_live.mjs URL TOKEN. It may have a stream of events and sensors, or not.
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
        async "a call by the console"() {
            await p.eval("$('cmethod').value = 'gpu.list'; showMethod()");
            await click("#cgo");
            await p.until("document.querySelector('#cout').textContent.includes('0000:01:00.0')");
        },
        async "unloaded and booted again"() {
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
