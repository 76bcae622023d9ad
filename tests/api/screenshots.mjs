// SPDX-License-Identifier: MIT
// Screenshots of the live page in its scenes (make screenshots): screenshots.mjs FOLDER [NAME...]
// SHARP: where npm's sharp lies, which makes them small; else they are as Chromium gives them.
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Browser, pause } from "./chromium.mjs";
import { StandIn } from "./standin.mjs";

const [folder, ...only] = process.argv.slice(2);
const SHOTS = [
    // name, scene, width, how many CSS pixels high, dark
    ["ready", "ready", 1440, 900, false],
    ["booting", "booting", 1440, 900, true],
    ["failed", "failed", 1440, 900, true],
    ["degraded", "degraded", 1440, 900, false],
    ["nogpu", "nogpu", 1440, 760, false],
    ["linklost", "linklost", 1440, 900, true],
    ["phone-ready", "ready", 390, 844, true],
    ["phone-booting", "booting", 390, 844, false],
    ["phone-failed", "failed", 390, 844, false],
    ["phone-degraded", "degraded", 390, 844, true],
    ["phone-nogpu", "nogpu", 390, 844, true],
    ["phone-linklost", "linklost", 390, 844, false],
    ["many", "many", 1440, 900, false],
    ["4k-failed", "failed", 3840, 2160, true]
];
const ROUNDS = 90,
    COLOURS = 48,
    COLOURS_WIDE = 24,
    WIDE = 1600;
const sharp = process.env.SHARP ? createRequire(import.meta.url)(process.env.SHARP) : null;
async function small(png, width) {
    if (!sharp) return png;
    const image = width > WIDE ? sharp(png).resize(WIDE) : sharp(png);
    return image
        .png({ palette: true, colours: width > WIDE ? COLOURS_WIDE : COLOURS, effort: 10, compressionLevel: 9, dither: 0 })
        .toBuffer();
}
mkdirSync(folder, { recursive: true });
const browser = new Browser();
try {
    for (const [name, scene, width, most, dark] of SHOTS) {
        if (only.length && !only.includes(name)) continue;
        const s = await new StandIn(scene).start();
        const page = await browser.open(s.url, { width, height: most, dark, mobile: width < 500 });
        await page.until("typeof streaming !== 'undefined' && streaming && events.length > 0");
        // Minutes of sensors at once: the past that a page which stayed open has.
        const past = [];
        for (let i = 0; i < ROUNDS; i++) {
            s.sample();
            for (const g of s.status.gpus)
                if (g.sensors) past.push([g.index, g.sensors, (i - ROUNDS) * 1000]);
        }
        await page.eval(
            `past.clear(); for (const [i, s, ms] of ${JSON.stringify(past)}) remember(i, s, performance.now() + ms); past.size`
        );
        s.sampled();
        await pause(400);
        writeFileSync(
            join(folder, name + ".png"),
            await small(await page.screenshot({ most: process.env.WHOLE ? 9000 : most }), width)
        );
        if (page.errors.length) console.log(`${name}: ${page.errors}`);
        await page.close();
        await s.stop();
        console.log(name);
    }
} finally {
    await browser.close();
}
