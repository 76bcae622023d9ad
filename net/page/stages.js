// SPDX-License-Identifier: MIT
// The stages of a bring-up, each with its words, on a time line.

// What each stage does, for who never saw one.
const STAGES = {
    "identify": "Reads which chip this is, and whether this build can boot it.",
    "devinit": "Waits for the board\u2019s own firmware to set up clocks and memory.",
    "wpr2-clear": "Takes down what an earlier boot may have left protected.",
    "firmware": "Picks NVIDIA\u2019s firmware files from the stick and checks them.",
    "vbios": "Finds FWSEC in the VBIOS: the program that protects memory.",
    "flush-page": "Gives the GPU the page of RAM that it flushes writes with.",
    "fb-layout": "Decides where everything goes at the top of video memory.",
    "memory": "Prepares in RAM what the GSP boots from and talks through.",
    "unload-armed": "Makes the way back ready, before anything needs undoing.",
    "frts": "FWSEC makes WPR2, the write-protected region for the firmware.",
    "gsp-reset": "Resets the GSP, the GPU\u2019s own processor, onto its RISC-V core.",
    "msi": "Turns interrupts on: waits end when something happens.",
    "rpc-queued": "Leaves two messages for the GSP to find when it starts.",
    "booter": "SEC2 verifies the firmware, moves it into WPR2, starts the GSP.",
    "chain-of-trust": "The FSP verifies the GSP\u2019s first program and starts it.",
    "lockdown": "That program puts the firmware in place and frees the GSP.",
    "riscv": "Waits until the GSP\u2019s RISC-V core runs.",
    "sequencer": "The GSP has the CPU run a script of register operations.",
    "init-done": "Waits for the GSP to say that its resource manager is up.",
    "static-info": "Asks the GSP about the board: name, UUID, video memory.",
    "interrupts": "Asks the GSP which interrupt vector it uses.",
    "rm-objects": "Makes a client of our own in the resource manager, for controls.",
    "ready": "The GPU was up and was being served."
};
const stageWords = name => (Object.hasOwn(STAGES, name) ? STAGES[name] : "");

function fillStages(p, g) {
    const ran = g.stages.filter(s => s.start_us > 0),
        now = nowUs();
    const took = s => (s.state === "running" ? Math.max(0, now - s.start_us) : s.us);
    const first = Math.min(...ran.map(s => s.start_us)),
        whole = Math.max(1, ...ran.map(s => s.start_us + took(s) - first));
    const counted = g.stages.filter(s => s.state !== "skipped"),
        done = counted.filter(s => s.state === "ok").length;
    show(p.bar, g.state === "booting");
    p.bar.max = counted.length || 1;
    p.bar.value = done;
    show(p.stagesHead.parentElement, g.stages.length);
    say(p.stagesHead, ran.length ? `Stages: ${done} of ${counted.length}, ${time(whole)} in all` : "Stages");
    const made = () =>
        box(
            "li",
            "",
            el("b"),
            el("span", undefined, "words"),
            box("span", "lane", el("i")),
            el("span", undefined, "took"),
            el("span", undefined, "count")
        );
    sync(
        p.stages,
        g.stages.map((s, i) => ({ key: i + s.name, s })),
        made,
        (li, { s }) => {
            const [name, words, lane, word, n] = li.children;
            const never = s.state === "skipped" && !s.start_us;
            say(li, undefined, never ? "pending" : s.state);
            say(name, s.name);
            say(words, stageWords(s.name));
            say(
                word,
                {
                    pending: "to come",
                    skipped: never ? "not reached" : "not needed",
                    running: `for ${time(took(s))}`,
                    failed: `failed, ${time(s.us)}`
                }[s.state] ?? time(s.us)
            );
            say(
                n,
                [s.reads ? count(s.reads, "read") : "", s.writes ? count(s.writes, "write") : ""]
                    .filter(Boolean)
                    .join(", ")
            );
            const bar = lane.children[0].style,
                drawn = s.start_us > 0 && s.state !== "skipped";
            bar.display = drawn ? "" : "none";
            if (drawn) {
                bar.left = `${(100 * (s.start_us - first)) / whole}%`;
                bar.width = `${(100 * took(s)) / whole}%`;
            }
        }
    );
}
