// SPDX-License-Identifier: MIT
// A headless Chromium, driven by the DevTools protocol over a pipe: no port, no library.
// Source: https://chromedevtools.github.io/devtools-protocol (domains Target, Page, Runtime, Emulation, Input).
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ANSWER_MS = 90000,
    WAIT_MS = 60000,
    POLL_MS = 50;
const PATHS = [
    process.env.CHROMIUM,
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome"
];
export const chromiumPath = () => PATHS.find(p => p && existsSync(p));
export const pause = ms => new Promise(done => setTimeout(done, ms));

export class Browser {
    constructor() {
        this.home = mkdtempSync(join(tmpdir(), "firstlight-page-"));
        this.child = spawn(
            chromiumPath(),
            [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--force-color-profile=srgb",
                `--user-data-dir=${this.home}`,
                "--remote-debugging-pipe",
                "about:blank"
            ],
            { stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"] }
        );
        this.words = "";
        this.child.stderr.on("data", d => {
            this.words = (this.words + d).slice(-4000);
        });
        this.next = 1;
        this.waiting = new Map();
        this.on = new Map(); // session -> what wants its events
        let rest = "";
        this.child.stdio[4].setEncoding("utf8").on("data", piece => {
            const all = (rest + piece).split("\0");
            rest = all.pop();
            for (const text of all) this.#heard(JSON.parse(text));
        });
        this.gone = new Promise(done =>
            this.child.once("exit", code => {
                for (const { no } of this.waiting.values())
                    no(new Error(`Chromium ended with ${code}: ${this.words}`));
                done(code);
            })
        );
    }
    #heard(m) {
        if (!m.id) return this.on.get(m.sessionId)?.(m.method, m.params);
        const w = this.waiting.get(m.id);
        this.waiting.delete(m.id);
        if (!w) return;
        clearTimeout(w.timer);
        if (m.error) w.no(new Error(`${w.method}: ${m.error.message}`));
        else w.yes(m.result);
    }
    send(method, params = {}, sessionId = undefined) {
        const id = this.next++;
        this.child.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
        return new Promise((yes, no) => {
            const timer = setTimeout(() => {
                this.waiting.delete(id);
                no(new Error(`${method}: no answer of Chromium`));
            }, ANSWER_MS);
            this.waiting.set(id, { yes, no, method, timer });
        });
    }
    // {width, height, dark, scripts, mobile}
    async open(url, how = {}) {
        const { browserContextId } = await this.send("Target.createBrowserContext");
        const { targetId } = await this.send("Target.createTarget", { url: "about:blank", browserContextId });
        const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
        const page = new Page(this, sessionId, browserContextId);
        await page.start(how);
        await page.goto(url);
        return page;
    }
    async close() {
        if (this.child.exitCode === null) {
            await this.send("Browser.close").catch(() => this.child.kill());
            await this.gone;
        }
        rmSync(this.home, { recursive: true, force: true, maxRetries: 5 });
    }
}

export class Page {
    constructor(browser, session, context) {
        Object.assign(this, { browser, session, context, errors: [], requests: [] });
        browser.on.set(session, (method, p) => this.#event(method, p));
    }
    send(method, params) {
        return this.browser.send(method, params, this.session);
    }
    #event(method, p) {
        if (method === "Runtime.exceptionThrown")
            this.errors.push(p.exceptionDetails.exception?.description ?? p.exceptionDetails.text);
        if (method === "Runtime.consoleAPICalled" && p.type === "error")
            this.errors.push(p.args.map(a => a.value ?? a.description).join(" "));
        // What a policy forbids is told here; that a server is away is no error of the page.
        if (method === "Log.entryAdded" && p.entry.level === "error" && p.entry.source !== "network")
            this.errors.push(p.entry.text);
        if (method === "Network.requestWillBeSent") this.requests.push(p.request.url);
        if (method === "Page.javascriptDialogOpening") this.errors.push(`a dialog: ${p.message}`);
    }
    async start({ width = 1440, height = 900, dark = false, scripts = true, mobile = false, scale = 1 }) {
        for (const domain of ["Page", "Runtime", "Log", "Network"]) await this.send(domain + ".enable");
        await this.size(width, height, scale, mobile);
        await this.dark(dark);
        if (!scripts) await this.send("Emulation.setScriptExecutionDisabled", { value: true });
    }
    size(width, height, scale = 1, mobile = false) {
        return this.send("Emulation.setDeviceMetricsOverride", {
            width,
            height,
            deviceScaleFactor: scale,
            mobile
        });
    }
    dark(yes) {
        return this.send("Emulation.setEmulatedMedia", {
            features: [
                { name: "prefers-color-scheme", value: yes ? "dark" : "light" },
                { name: "prefers-reduced-motion", value: "reduce" }
            ]
        });
    }
    goto(url) {
        return this.send("Page.navigate", { url });
    }
    // The value of an expression, a promise's too; the page's exceptions are thrown here.
    async eval(expression) {
        const r = await this.send("Runtime.evaluate", {
            expression,
            awaitPromise: true,
            returnByValue: true,
            userGesture: true
        });
        if (r.exceptionDetails)
            throw new Error(
                `${expression.slice(0, 120)}: ${r.exceptionDetails.exception?.description ?? r.exceptionDetails.text}`
            );
        return r.result.value;
    }
    // Until the expression is true, or what it last was is thrown.
    async until(expression, what = expression, most_ms = WAIT_MS) {
        const end = Date.now() + most_ms;
        let seen;
        for (;;) {
            try {
                seen = await this.eval(expression);
                if (seen) return seen;
            } catch (e) {
                seen = e.message;
            } // the page may not be there yet
            if (Date.now() > end) throw new Error(`never: ${what} (${seen}) ${this.errors.join("; ")}`);
            await pause(POLL_MS);
        }
    }
    async key(key, code = key, modifiers = 0) {
        const text = key.length === 1 ? key : key === "Enter" ? "\r" : undefined;
        await this.send("Input.dispatchKeyEvent", {
            type: "keyDown",
            key,
            code,
            text,
            modifiers,
            windowsVirtualKeyCode: { Tab: 9, Enter: 13, Escape: 27 }[key]
        });
        await this.send("Input.dispatchKeyEvent", {
            type: "keyUp",
            key,
            code,
            modifiers,
            windowsVirtualKeyCode: { Tab: 9, Enter: 13, Escape: 27 }[key]
        });
    }
    type(text) {
        return this.send("Input.insertText", { text });
    }
    // whole: all of the page, at most `most` CSS pixels of it.
    async screenshot({ whole = true, most = 4000 } = {}) {
        const { cssContentSize, cssLayoutViewport } = await this.send("Page.getLayoutMetrics");
        const clip = {
            x: 0,
            y: 0,
            width: cssLayoutViewport.clientWidth,
            height: Math.min(whole ? cssContentSize.height : cssLayoutViewport.clientHeight, most),
            scale: 1
        };
        const { data } = await this.send("Page.captureScreenshot", {
            format: "png",
            clip,
            captureBeyondViewport: whole
        });
        return Buffer.from(data, "base64");
    }
    async close() {
        this.browser.on.delete(this.session);
        await this.browser.send("Target.disposeBrowserContext", { browserContextId: this.context });
    }
}
