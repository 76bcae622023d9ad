// SPDX-License-Identifier: MIT
// The live page in a headless Chromium, against the stand-in (standin.mjs): page_browser.mjs [AXE] [CASE...]
// AXE: axe-core's axe.min.js. Prints a line for each case; the exit status says whether one did.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { chromiumPath } from "./chromium.mjs";
import { SCENES, TOKEN } from "./standin.mjs";

const args = process.argv.slice(2),
    axe = args.length && existsSync(args[0]) ? readFileSync(args.shift(), "utf8") : null;
if (!chromiumPath()) {
    console.log("skipped: no Chromium here (Debian: apt install chromium, or CHROMIUM=its path)");
    process.exit(0);
}
const { PHONE, at, browser, click, closeAll, open, openAll } = await import("./page_lab.mjs");
const { cases: seen } = await import("./page_seen.mjs");
const { cases: used } = await import("./page_used.mjs");
const cases = {
    ...seen,
    ...used,
    async "axe-core finds nothing"() {
        if (!axe) return console.log("# axe-core is not here (make test-page installs it): not run");
        const run = async (p, what) => {
            await p.eval(axe + "; 0");
            const found = await p.eval(
                `axe.run(document, { resultTypes: ["violations"] }).then(r => r.violations.map(v => v.id + ": " + v.nodes.slice(0, 3).map(n => n.target + " " + (n.any[0]?.message ?? n.failureSummary)).join("; ")))`
            );
            assert.deepEqual(found, [], what);
        };
        for (const scene of Object.keys(SCENES)) {
            if (scene === "hostile" || scene === "many") continue;
            const { s, p } = await at(scene);
            await p.eval(`setToken(${JSON.stringify(TOKEN)})`);
            await openAll(p);
            await p.until(
                "document.querySelectorAll('#cmethod option').length > 30 && document.querySelectorAll('#rlist option').length > 100"
            );
            if (s.status.gpus.length) await click(p, "#rread");
            for (const dark of [false, true]) {
                await p.dark(dark);
                await run(p, `${scene}, ${dark ? "dark" : "light"}`);
            }
        }
        const { p } = await at("failed", { how: PHONE });
        await run(p, "phone");
        await click(p, "#helpopen");
        await run(p, "help");
        await click(p, "#helpno");
        await click(p, "#tokenopen");
        await run(p, "token");
    }
};

let failed = 0,
    ran = 0;
try {
    for (const [name, run] of Object.entries(cases)) {
        if (args.length && !args.some(a => name.includes(a))) continue;
        ran++;
        try {
            await run();
            // Everything the browser complained of, the policy's refusals among it.
            for (const x of open) assert.deepEqual(x.errors ?? [], [], "the page's errors");
            console.log(`ok ${name}`);
        } catch (e) {
            failed++;
            console.log(`${name}: ${e.stack.split("\n").slice(0, 14).join("\n")}`);
        }
        await closeAll();
    }
} finally {
    await browser.close();
}
console.log(`${ran - failed} of ${ran} cases`);
process.exit(failed || !ran ? 1 : 0);
