// SPDX-License-Identifier: MIT
// Cases of page_browser.mjs: what a reader does: token, orders, registers, console, keys, screens.
import assert from "node:assert/strict";
import { PHONE, at, browser, click, copied, fill, noOverflow, open, openAll, textOf } from "./page_lab.mjs";
import { StandIn, TOKEN } from "./standin.mjs";

export const cases = {
    async "an appliance that shows itself only to who has the token"() {
        const s = await new StandIn("ready", { readToken: true }).start(),
            p = await browser.open(s.url);
        open.push(s, p);
        await p.until("!document.querySelector('#lostgo').hidden");
        await click(p, "#lostgo");
        await fill(p, "#asktoken", TOKEN);
        await click(p, "#askyes");
        await p.until("document.querySelector('#gpu0 .word')?.textContent === 'Ready'");
        await p.until("document.querySelector('#lost').hidden");
    },
    async "orders: asked first, with the token; no is no; what goes wrong is said"() {
        const { s, p } = await at("ready");
        const [boot, unload, reset] = [1, 2, 3].map(n => `#gpu0 .head .acts button:nth-child(${n})`);
        assert.deepEqual(
            await p.eval(`[${[boot, unload, reset].map(b => `document.querySelector("${b}").disabled`)}]`),
            [true, false, false]
        );
        await click(p, unload);
        assert.match(await textOf(p, "#ask"), /Unload GPU 0, NVIDIA GeForce RTX 3090\?.*are lost/s);
        await click(p, "#askno");
        assert.deepEqual(
            s.asked.filter(a => a.method.startsWith("gpu.")),
            []
        );
        await click(p, unload);
        await fill(p, "#asktoken", "with spaces");
        await click(p, "#askyes");
        assert.match(await textOf(p, "#askwrong"), /without spaces/);
        await fill(p, "#asktoken", TOKEN);
        await click(p, "#askyes");
        await p.until("document.querySelector('#gpu0 .answer').textContent.includes('ended')");
        await p.until("document.querySelector('#gpu0 .word').textContent === 'Unloaded'");
        assert.deepEqual(
            s.asked.filter(a => a.method.startsWith("gpu.")),
            [{ method: "gpu.unload", params: { gpu: 0 }, authorized: true }]
        );
        await click(p, reset);
        assert.equal(
            await p.eval("document.querySelector('#asktokenbox').hidden"),
            true,
            "the token is asked for once"
        );
        assert.equal(await p.eval("document.activeElement.id"), "askno", "Enter does nothing by mistake");
        await fill(p, "#askkind", "bus");
        s.refuse = true;
        await click(p, "#askyes");
        await p.until("document.querySelector('#gpu0 .answer').textContent.includes('Try: look at the log')");
        assert.deepEqual(s.asked.at(-1), {
            method: "gpu.reset",
            params: { gpu: 0, kind: "bus" },
            authorized: true
        });
    },
    async "a wrong token is asked for again"() {
        const { s, p } = await at("ready");
        await p.eval("setToken('wrong')");
        await click(p, "#gpu0 .head .acts button:nth-child(2)");
        await click(p, "#askyes");
        await p.until("document.querySelector('#gpu0 .answer').textContent.includes('Unauthorized')");
        assert.equal(await textOf(p, "#tokenopen"), "Token\u2026");
        assert.equal(s.status.gpus[0].state, "ready");
    },
    async "registers: found, read, decoded, written by field, copied"() {
        const { s, p } = await at("failed");
        await p.eval(`setToken(${JSON.stringify(TOKEN)})`);
        await p.eval("document.querySelector('#registers').open = true");
        await p.until("document.querySelectorAll('#rlist option').length > 100");
        await fill(p, "#rfind", "boot_42");
        await p.until("document.querySelectorAll('#rlist option').length === 1");
        assert.equal(await textOf(p, "#rname"), "NV_PMC_BOOT_42");
        assert.equal(await p.eval("document.querySelector('#rwrite').disabled"), true, "read only");
        await click(p, "#rread");
        await p.until("document.querySelector('#rsaid').textContent.includes('0x172a1000')");
        assert.match(await textOf(p, "#rfields"), /IMPLEMENTATION23:200x20010/);
        assert.equal(await copied(p, "#rvaluebox .copy"), "0x172a1000");
        assert.match(await textOf(p, "#rpast"), /NV_PMC_BOOT_42 0x172a1000/);
        const r = await p.eval(
            "registers.find(r => r.writable && !r.count && Object.keys(r.fields).filter(f => !f.startsWith('rsvd')).length)"
        );
        await fill(p, "#rfind", r.name);
        await p.until(`document.querySelector('#rname').textContent === ${JSON.stringify(r.name)}`);
        await p.eval(
            `{ const tr = [...document.querySelectorAll("#rfields tr")].find(tr => !tr.children[0].textContent.startsWith("rsvd")); window.field = tr.children[0].textContent; tr.querySelector("input").value = "zz"; }`
        );
        await click(p, "#rwrite");
        await p.until("document.querySelector('#rsaid').textContent.includes('hexadecimal')");
        await p.eval(
            "[...document.querySelectorAll('#rfields tr')].find(tr => tr.children[0].textContent === field).querySelector('input').value = '0x1'"
        );
        await click(p, "#rwrite");
        await p.until("document.querySelector('#ask').open");
        await click(p, "#askyes");
        await p.until("document.querySelector('#rsaid').textContent.startsWith('Written')");
        assert.deepEqual(s.asked.at(-1).params, {
            gpu: 0,
            register: r.name,
            fields: { [await p.eval("field")]: 1 }
        });
    },
    async "the console: methods, parameters, answer, curl, what was called"() {
        const { s, p } = await at("ready");
        await p.eval("document.querySelector('#console').open = true");
        await p.until("document.querySelectorAll('#cmethod option').length > 30");
        await fill(p, "#cmethod", "registers.read");
        assert.match(await textOf(p, "#cdoc"), /register \(needed\)/);
        await fill(p, "#cparams", "{ not json");
        await click(p, "#cgo");
        await p.until("document.querySelector('#csaid').textContent.startsWith('Parameters:')");
        await fill(p, "#cparams", `{"register": "it's"}`);
        assert.match(await copied(p, "#cacts .copy:nth-of-type(2)"), /^curl -s http:.* -d '.*"it'\\''s".*'$/);
        await fill(p, "#cparams", `{"register": "NV_PMC_BOOT_42"}`);
        await click(p, "#cgo");
        await p.until("document.querySelector('#ask').open", "the token is asked for");
        await fill(p, "#asktoken", TOKEN);
        await click(p, "#askyes");
        await p.until("document.querySelector('#cout').textContent.includes('0x172a1000')");
        assert.ok(!(await p.eval("document.body.innerText")).includes(TOKEN));
        await fill(p, "#cmethod", "session.open");
        await p.eval("document.querySelector('#cparams').focus()");
        await p.key("Enter", "Enter", 2);
        await p.until("document.querySelector('#csaid').textContent.startsWith('session.open: answered')");
        assert.equal(
            await p.eval("document.querySelector('#wsession').value.length"),
            32,
            "the session is put where it is needed"
        );
        assert.equal(await p.eval("document.querySelectorAll('#cpast li').length"), 2);
        await click(p, "#cpast li:last-child button");
        assert.match(await p.eval("document.querySelector('#cparams').value"), /NV_PMC_BOOT_42/);
        assert.equal(s.asked.filter(a => a.method === "registers.read").length, 1);
    },
    async "memory: the map, and a walk"() {
        const { p } = await at("ready");
        await p.eval(`setToken(${JSON.stringify(TOKEN)}); document.querySelector('#memory').open = true`);
        await p.until("document.querySelectorAll('#mmap .piece').length > 5");
        await p.eval("document.querySelector('#mmap .piece').focus()");
        await p.key("ArrowRight");
        assert.match(await textOf(p, "#mwhat"), /^0x[0-9a-f]+ to 0x/);
        for (const [css, v] of [
            ["#wsession", "abc"],
            ["#wvm", "1"],
            ["#wva", "0x200000"]
        ])
            await fill(p, css, v);
        await click(p, "#wgo");
        await p.until("document.querySelectorAll('#wlevels li').length === 4");
        assert.match(
            await textOf(p, "#wend"),
            /0x200000 is mapped to 0x5e8000000 in video memory, a 2M page/
        );
    },
    async "the theme: as the system, light, dark; kept in the address only"() {
        const { p } = await at("ready");
        const dark = () => p.eval("getComputedStyle(document.body).backgroundColor");
        const light = await dark();
        await p.dark(true);
        const black = await dark();
        assert.notEqual(black, light);
        await click(p, "#theme");
        assert.deepEqual(
            [await textOf(p, "#theme"), await dark(), await p.eval("location.search")],
            ["Theme: light", light, "?theme=light"]
        );
        await p.dark(false);
        await click(p, "#theme");
        assert.deepEqual([await textOf(p, "#theme"), await dark()], ["Theme: dark", black]);
        await p.goto(await p.eval("location.href"));
        await p.until("document.querySelector('#theme')?.textContent === 'Theme: dark'");
        await click(p, "#theme");
        assert.deepEqual([await textOf(p, "#theme"), await p.eval("location.search")], ["Theme: auto", ""]);
    },
    async "keys: they jump, not while somebody types, and can be switched off"() {
        const { p } = await at("failed");
        await p.key("w", "KeyW");
        assert.equal(await p.eval("document.activeElement.id"), "gpu1");
        await p.key("1", "Digit1");
        assert.equal(await p.eval("document.activeElement.id"), "gpu0");
        await p.key("r", "KeyR");
        await p.until("document.querySelector('#registers').open && document.activeElement.id === 'rfind'");
        await p.key("w", "KeyW");
        assert.equal(await p.eval("document.activeElement.id + document.activeElement.value"), "rfindw");
        await p.eval("document.activeElement.blur()");
        await p.key("?", "Slash");
        assert.equal(await p.eval("document.querySelector('#help').open"), true);
        await p.key("Escape", "Escape");
        assert.equal(await p.eval("document.querySelector('#help').open"), false);
        await p.eval("document.querySelector('#keyson').checked = false");
        await p.key("w", "KeyW");
        assert.notEqual(await p.eval("document.activeElement.id"), "gpu1");
    },
    async "Tab reaches everything, in order, and is seen"() {
        const { p } = await at("failed");
        await openAll(p);
        const stops = [];
        for (let i = 0; i < 60; i++) {
            await p.key("Tab", "Tab");
            const [what, ring] = await p.eval(
                "[document.activeElement.id || document.activeElement.textContent.slice(0, 24), getComputedStyle(document.activeElement).outlineStyle]"
            );
            assert.notEqual(ring, "none", `${what} shows no focus`);
            stops.push(what);
        }
        const order = [
            "To the GPUs",
            "tokenopen",
            "theme",
            "helpopen",
            "GPU 1 failedAD102",
            "Boot",
            "Copy for a bug report"
        ];
        const found = order.map(w => stops.findIndex(s => s.startsWith(w)));
        assert.ok(
            found.every((n, i) => n >= 0 && (!i || n > found[i - 1])),
            `${order}: ${found}: ${stops}`
        );
    },
    async "from a phone to 4K: nothing sticks out, and the whole width is used"() {
        const { p } = await at("many", { how: PHONE });
        await openAll(p);
        for (const width of [320, 390, 768, 1024, 1440, 2560, 3840]) {
            await p.size(width, 1000);
            await noOverflow(p, `${width}`);
            const used = await p.eval(
                "(document.querySelector('#gpus').getBoundingClientRect().width) / innerWidth"
            );
            assert.ok(used > 0.92, `${width}: ${used}`);
        }
        assert.ok(
            (await p.eval(
                "new Set([...document.querySelectorAll('#gpus article')].map(a => a.getBoundingClientRect().left)).size"
            )) > 1,
            "GPUs side by side on 4K"
        );
    },
    async "without scripts there are links"() {
        const s = await new StandIn("ready").start(),
            p = await browser.open(s.url, { scripts: false });
        open.push(s, p);
        await p.until("document.querySelectorAll('noscript a[href]').length >= 6");
        assert.match(await p.eval("document.querySelector('noscript').innerText"), /\/api\/v1\/status/);
    }
};
