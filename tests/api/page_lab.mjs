// SPDX-License-Identifier: MIT
// What the cases of page_browser.mjs share: a stand-in with the page on it, and hands and eyes.
import assert from "node:assert/strict";
import { Browser } from "./chromium.mjs";
import { StandIn } from "./standin.mjs";

export const PHONE = { width: 390, height: 844, mobile: true };
export const browser = new Browser();
// Pages and stand-ins of the case that runs; closed after it.
export const open = [];
export async function closeAll() {
    for (const x of open.splice(0).reverse()) await (x.close ? x.close() : x.stop()).catch(() => {});
}
// A stand-in and the page on it, both closed after the case.
export async function at(scene, { how, ...allow } = {}) {
    const s = await new StandIn(scene, allow).start(),
        p = await browser.open(s.url, how);
    open.push(s, p);
    await p.until(
        "typeof status !== 'undefined' && status !== null && (streaming || eventsWord !== 'None yet.')",
        "the page knows the status"
    );
    if (allow.stream !== false) await p.until("events.length > 0", "events came");
    return { s, p };
}
export const textOf = (p, css) => p.eval(`document.querySelector(${JSON.stringify(css)}).textContent`);
export const click = (p, css) => p.eval(`document.querySelector(${JSON.stringify(css)}).click()`);
export const fill = (p, css, value) =>
    p.eval(
        `{ const e = document.querySelector(${JSON.stringify(css)}); e.value = ${JSON.stringify(value)}; e.dispatchEvent(new Event("input", { bubbles: true })); e.dispatchEvent(new Event("change", { bubbles: true })); }`
    );
export const openAll = p => p.eval(`for (const d of document.querySelectorAll("details")) d.open = true`);
// What a button copies, by the way that a page of plain HTTP has.
export const copied = (p, css) =>
    p.eval(`(async () => {
    Object.defineProperty(navigator, "clipboard", { value: undefined, configurable: true });
    let text = null;
    document.addEventListener("copy", () => { text = document.activeElement.value; }, { once: true });
    document.querySelector(${JSON.stringify(css)}).click();
    await new Promise(done => setTimeout(done, 50));
    return text;
})()`);
export async function noOverflow(p, what) {
    const [wide, most] = await p.eval("[document.documentElement.scrollWidth, innerWidth]");
    assert.ok(
        wide <= most,
        `${what}: ${wide} pixels on a screen of ${most}; ` +
            (await p.eval(
                `[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, pre, .away")).slice(0, 4).map(e => e.tagName + "#" + e.id + "." + e.className).join(" ")`
            ))
    );
}
