// SPDX-License-Identifier: MIT
// Cases of page_browser.mjs: what is shown, and how it stays alive.
import assert from "node:assert/strict";
import { pause } from "./chromium.mjs";
import { PHONE, at, click, copied, fill, noOverflow, open, openAll, textOf } from "./page_lab.mjs";
import { HOSTILE, StandIn } from "./standin.mjs";

export const cases = {
    async "ready: state, title, sentence; nothing from elsewhere"() {
        const { s, p } = await at("ready");
        assert.equal(await textOf(p, "#overall"), "Ready");
        assert.equal(await p.eval("document.title"), "Ready \u00b7 127.0.0.1 \u00b7 Firstlight");
        assert.match(await textOf(p, ".line"), /^Its firmware 570\.144 is up, 240 ms after the start\.$/);
        assert.equal(await p.eval("document.querySelectorAll('.stages li').length"), 22);
        assert.match(await textOf(p, ".stages"), /unload-armed.*Makes the way back ready/);
        assert.deepEqual(
            p.requests.filter(u => !u.startsWith(s.url) && !u.startsWith("data:")),
            []
        );
    },
    async "failed: which, in which stage, why, what to try; all of it can be copied"() {
        const { p } = await at("failed");
        assert.equal(await p.eval("document.title"), "1 of 2 GPUs failed \u00b7 127.0.0.1 \u00b7 Firstlight");
        assert.equal(await p.eval("document.querySelector('#gpus article').id"), "gpu1", "the worst first");
        const box = await textOf(p, "#gpu1 .failure");
        for (const words of [
            "What failed: stage sequencer",
            "waited 10000 ms for the GSP's register script",
            "What this stage is: The GSP has the CPU run",
            "What to try: the GSP started but does not talk",
            "gsp/rpc/rpc.c:209"
        ])
            assert.ok(box.includes(words), words);
        const text = await copied(p, "#gpu1 .failure .copy");
        for (const words of [
            "GPU 1: AD102, ad102, 0000:02:00.0",
            "stage sequencer",
            "What to try: the GSP started",
            "firmware 570.144",
            "host 127.0.0.1"
        ])
            assert.ok(text.includes(words), `${words} in ${text}`);
        assert.equal(await textOf(p, "#gpu1 .failure .copy"), "Copied");
        assert.match(await textOf(p, "#gpu1 table"), /timed out.*function.*sequencer/);
    },
    async "the strip: the worst first, a click jumps to it"() {
        const { p } = await at("many");
        const chips = await p.eval(
            "[...document.querySelectorAll('#strip button')].map(b => b.children[0].textContent)"
        );
        assert.deepEqual(chips.slice(0, 3), ["GPU 5 failed", "GPU 2 degraded", "GPU 0 ready"]);
        assert.equal(
            await p.eval(
                "getComputedStyle(document.querySelector('#gpu0 .cols')).display === 'none' || !document.querySelector('#gpu0 details').open"
            ),
            true,
            "those that are well are folded"
        );
        await p.eval("[...document.querySelectorAll('#strip button')][7].click()");
        assert.equal(await p.eval("document.activeElement.id"), "gpu7");
        assert.ok(await p.eval("document.activeElement.getBoundingClientRect().top < innerHeight"));
    },
    async "degraded: what is not well, and what to try"() {
        const { p } = await at("degraded");
        assert.equal(await textOf(p, "#gpu0 .word"), "Degraded");
        const box = await textOf(p, "#gpu0 .failure");
        for (const words of [
            "Xid 48 (double-bit ECC error)",
            "1 uncorrected memory error",
            "waits to be remapped",
            "hw thermal slowdown",
            "check fans"
        ])
            assert.ok(box.includes(words), `${words} in ${box}`);
        assert.match(await textOf(p, "#notelist"), /log_levl/);
    },
    async "booting: the stage, how long, how many; the time goes on by itself"() {
        const { p } = await at("booting");
        assert.match(await textOf(p, ".line"), /^Stage 14 of 22, booter, for [0-9.]+ s\. SEC2 verifies/);
        assert.equal(await p.eval("document.querySelector('progress').value"), 13);
        const before = await textOf(p, ".stages .running .took");
        await p.until(
            `document.querySelector('.stages .running .took').textContent !== ${JSON.stringify(before)}`
        );
        assert.deepEqual(
            await p.eval("[...document.querySelectorAll('.stages .pending .took')].map(e => e.textContent)"),
            Array(8).fill("to come")
        );
    },
    async "no GPU, and a GPU whose link is lost"() {
        let { p } = await at("nogpu");
        assert.match(await textOf(p, "#nogpu"), /No NVIDIA GPU was found.*Is the card seated/s);
        assert.equal(await p.eval("document.title"), "No GPU found \u00b7 127.0.0.1 \u00b7 Firstlight");
        ({ p } = await at("linklost"));
        assert.equal(await textOf(p, "#gpu0 .word"), "Link lost");
        assert.match(
            await textOf(p, "#gpu0 .failure"),
            /the device no longer answers.*check power cables, riser and slot/s
        );
    },
    async "live: events and sensors come by the stream, the status is asked for when it has changed"() {
        const { s, p } = await at("ready");
        assert.equal(await textOf(p, "#feed"), "live");
        s.tell("note", { text: "a sentence of now", gpu: 0 });
        await p.until("document.querySelector('#events').textContent.includes('a sentence of now')");
        s.changes = { temperature_gpu: 77500 };
        const asked = p.requests.length;
        s.sampled();
        await p.until("document.querySelector('.sensors').textContent.includes('77.5')");
        assert.deepEqual(
            p.requests.slice(asked).filter(u => u.endsWith("/status")),
            []
        );
        Object.assign(s.status.gpus[0], { state: "unloaded" });
        s.changed();
        await p.until("document.querySelector('#gpu0 .word').textContent === 'Unloaded'");
        await p.until(
            "document.querySelector('#said').textContent.startsWith('GPU 0: Unloaded')",
            "it is announced"
        );
    },
    async "events: by kind, by GPU; ids seen twice are not shown twice"() {
        const { s, p } = await at("failed");
        const all = await p.eval("document.querySelectorAll('#events li').length");
        assert.equal(all, s.events.length);
        for (const res of s.streams) for (const e of s.events) s.write(res, e);
        s.tell("xid", { gpu: 1, xid: 62, text: "Xid 62", action: "reset" });
        await p.until(`document.querySelectorAll('#events li').length === ${all + 1}`);
        await fill(p, "#ekind", "xid");
        await p.until("document.querySelectorAll('#events li').length === 1");
        await fill(p, "#ekind", "");
        await fill(p, "#egpu", "0");
        await p.until("[...document.querySelectorAll('#events .of')].every(e => e.textContent === 'GPU 0')");
        assert.ok(await p.eval("document.querySelectorAll('#events li').length > 10"));
    },
    async "without a stream it is asked every second"() {
        const { s, p } = await at("ready", { stream: false });
        await p.until("document.querySelector('#feed').textContent === 'asked every second'");
        assert.match(await textOf(p, "#enone"), /no stream of events/);
        s.status.gpus[0].state = "unloaded";
        await p.until("document.querySelector('#gpu0 .word').textContent === 'Unloaded'");
    },
    async "in place: selection, focus and folded sections stay when all else changes"() {
        const { s, p } = await at("failed");
        await p.eval(`{ const r = document.createRange(), t = document.querySelector("#gpu1 .failure .text"); r.selectNodeContents(t);
            getSelection().removeAllRanges(); getSelection().addRange(r); window.kept = [t.firstChild, document.querySelector("#gpu0 .stages li"), document.querySelector("#log span")];
            document.querySelector("#gpu0 details").open = false; document.querySelector("#gpu1 .failure .copy").focus({ preventScroll: true }); }`);
        const text = await p.eval("getSelection().toString()");
        assert.match(text, /waited 10000 ms/);
        s.log = (s.log + "[   99.000000] info  gsp: one more line\n").split("\n").slice(1).join("\n");
        s.status.gpus[0].registers.reads += 1000;
        s.status.gpus[0].state = "failed";
        s.status.gpus[0].error = s.status.gpus[1].error;
        s.changed();
        await p.until("document.querySelector('#gpu0 .word').textContent === 'Failed'");
        await p.until("document.querySelector('#log').textContent.includes('one more line')");
        assert.equal(await p.eval("getSelection().toString()"), text);
        assert.equal(
            await p.eval("document.activeElement === document.querySelector('#gpu1 .failure .copy')"),
            true
        );
        assert.deepEqual(
            await p.eval(
                "[kept[0].isConnected, kept[1].isConnected, document.querySelector('#gpu0 details').open]"
            ),
            [true, true, false]
        );
        assert.equal(
            await p.eval("document.querySelector('#gpus article').id"),
            "gpu1",
            "no card changes its place while one is read"
        );
    },
    async "sensors: value, unit, age, the past as a line; what is not known is not there"() {
        const { s, p } = await at("ready");
        const tile =
            "[...document.querySelectorAll('.tile')].find(t => t.children[0].textContent === 'module')";
        for (let i = 0; i < 4; i++) {
            s.changes = { power_module: 90000 + i * 1500 };
            s.sampled();
            await p.until(
                `${tile}.children[1].textContent === ${JSON.stringify(`${(90000 + i * 1500) / 1000} W`)}`
            );
            await p.eval("performance.now()"); // rounds closer than half a period are one
            await pause(600);
        }
        assert.match(await p.eval(`${tile}.children[2].textContent`), /now|ago/);
        assert.ok(
            (await p.eval(`${tile}.querySelector('polyline').getAttribute('points').split(' ').length`)) >= 3
        );
        assert.match(
            await p.eval(`${tile}.querySelector('svg').getAttribute('aria-label')`),
            /module: .* W to 94\.5 W in the last/
        );
        assert.equal(await p.eval("document.querySelector('.sensors').textContent.includes('fan')"), false);
        delete s.status.gpus[0].sensors;
        s.changed();
        await p.until("document.querySelector('.senses').hidden");
    },
    async "strings of strangers are text, whatever they are"() {
        const { p } = await at("hostile", { how: PHONE });
        await openAll(p);
        await p.until("document.querySelectorAll('#cmethod option').length > 10");
        assert.equal(
            await p.eval(
                "document.querySelectorAll('main img, main script, main iframe, main a[href^=javascript]').length"
            ),
            0
        );
        assert.notEqual(await p.eval("document.title"), "taken");
        const words = await p.eval("document.body.textContent");
        for (const h of [HOSTILE[0], HOSTILE[1], HOSTILE[3], HOSTILE[4]])
            assert.ok(words.includes(h), h.slice(0, 40));
        assert.ok(
            words.includes("\\u202egnp.exe") && !words.includes("\u202e"),
            "what turns the writing is shown by its number"
        );
        await noOverflow(p, "hostile");
        await p.size(1440, 900);
        await noOverflow(p, "hostile, wide");
    },
    async "an answer that is none: what it was is said"() {
        const { s, p } = await at("ready", { stream: false });
        const body = s.body;
        s.body = () => `{"title": "Service Unavailable"}`;
        await p.until("document.querySelector('#lost').textContent.includes('cannot be shown')");
        s.body = body;
        await p.until("document.querySelector('#lost').hidden");
    },
    async "no answer: said at once, and forgotten when it comes back; another life is noticed"() {
        const { s, p } = await at("ready");
        const port = s.port;
        await s.stop();
        await p.until("!document.querySelector('#lost').hidden");
        assert.match(await textOf(p, ".banner"), /No answer from the appliance/);
        assert.match(await p.eval("document.title"), /^No answer/);
        const again = await new StandIn("booting").start(port);
        open.push(again);
        await p.until(
            "document.querySelector('#lost').hidden && document.querySelector('#gpu0 .word').textContent === 'Booting'"
        );
        await p.until(
            "streaming && events.length > 0 && document.querySelector('#feed').textContent === 'live'"
        );
        assert.equal(await p.eval("events.length"), again.events.length);
    }
};
