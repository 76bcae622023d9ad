// SPDX-License-Identifier: MIT
// Registers by name and field. The list needs no token; reading and writing do.

let registers = [],
    registersBusy = false;
const registerAt = () => registers.find(r => r.name === $("rlist").value);
const bitsOf = range => {
    const [hi, lo] = range.split(":").map(Number);
    return hi - lo + 1;
};
async function loadRegisters() {
    if (!$("registers").open || registers.length || registersBusy) return;
    registersBusy = true;
    try {
        registers = await rpc("registers.list", gpus.length ? { gpu: chosenOf($("rgpu")).index } : {});
        say($("rsaid"), "", "answer");
        listRegisters();
    } catch (e) {
        say($("rsaid"), e.message, "answer bad");
    }
    registersBusy = false;
}
// A register is found by its name, a field's, or the offset.
function listRegisters() {
    const want = $("rfind").value.trim().toUpperCase(),
        was = $("rlist").value;
    const found = registers.filter(
        r =>
            !want ||
            r.name.includes(want) ||
            r.offset.toUpperCase().includes(want) ||
            Object.keys(r.fields).some(f => f.includes(want))
    );
    sync(
        $("rlist"),
        found.map(r => ({ key: r.name, text: `${r.name}  ${r.offset}` })),
        i => {
            const o = el("option");
            o.value = i.key;
            return o;
        },
        (o, i) => say(o, i.text)
    );
    if (!found.some(r => r.name === was)) $("rlist").value = found.length ? found[0].name : "";
    say($("rcount"), `${found.length} of ${registers.length}`);
    showRegister();
}
function showRegister() {
    const r = registerAt();
    show($("rone"), r);
    if (!r || $("rone").dataset.name === r.name) return;
    $("rone").dataset.name = r.name;
    say($("rname"), r.name);
    say(
        $("rwords"),
        `at ${r.offset}${r.count ? `, ${r.count} of them, ${r.stride} bytes apart` : ""}${r.readable ? "" : ", not readable"}${r.writable ? "" : ", not writable"}`
    );
    show($("rindexbox"), r.count);
    $("rindex").value = r.count ? "0" : "";
    $("rread").disabled = !r.readable;
    $("rwrite").disabled = !r.writable;
    $("rvalue").value = "";
    say($("rsaid"), "", "answer");
    drawFields(r, null);
}
function drawFields(r, values) {
    const all = Object.entries(r.fields)
        .map(([name, range]) => ({ key: name, name, range, n: values ? values[name] : undefined }))
        .reverse();
    sync(
        $("rfields"),
        all,
        f => {
            const tr = row([f.name, f.range, { n: "" }, { n: "" }, ""]),
                input = el("input");
            input.setAttribute("aria-label", `${f.name}: value to write`);
            input.inputMode = "numeric";
            input.autocomplete = "off";
            tr.children[4].append(input);
            return tr;
        },
        (tr, f) => {
            say(tr.children[1], f.range);
            say(tr.children[2], f.n === undefined ? "" : hex(f.n));
            say(
                tr.children[3],
                f.n === undefined
                    ? ""
                    : f.n
                          .toString(2)
                          .padStart(bitsOf(f.range), "0")
                          .replace(/\B(?=(.{4})+$)/g, " ")
            );
            tr.children[4].children[0].disabled = !r.writable || f.name.startsWith("rsvd");
        }
    );
}
const registerName = r => r.name + (r.count ? `(${$("rindex").value.trim() || 0})` : "");
async function touchRegister(method, params, words) {
    const r = registerAt(),
        g = chosenOf($("rgpu"));
    if (!r || !g || !(await tokenGiven())) return;
    try {
        const v = await rpc(method, { gpu: g.index, register: registerName(r), ...params });
        say($("rsaid"), `${words} ${registerName(r)} of GPU ${g.index}: ${v.value} at ${v.offset}`, "answer");
        $("rvalue").value = v.value;
        if (registerAt() === r) drawFields(r, v.fields);
        const line = `${registerName(r)} ${v.value}`;
        $("rpast").prepend(
            box(
                "li",
                "",
                el("code", line),
                " ",
                el("span", `GPU ${g.index}, ${words.toLowerCase()}`, "dim"),
                " ",
                copyButton(line, () => line)
            )
        );
        while ($("rpast").children.length > 12) $("rpast").children[12].remove();
    } catch (e) {
        say($("rsaid"), e.message, "answer bad");
    }
}
// The fields that were filled in, else the whole value; a mistake is thrown, in words.
function toWrite(r) {
    const fields = {};
    for (const tr of $("rfields").children) {
        const text = tr.children[4].children[0].value.trim();
        if (!text) continue;
        if (!/^(0x[0-9a-f]+|[0-9]+)$/i.test(text))
            throw new Error(`${tr.children[0].textContent}: a number, or 0x and hexadecimal digits.`);
        fields[tr.children[0].textContent] = Number(text);
    }
    if (Object.keys(fields).length) return { fields };
    const value = $("rvalue").value.trim();
    if (!/^0x[0-9a-f]{1,8}$/i.test(value))
        throw new Error("Value: 0x and up to 8 hexadecimal digits, or fill in fields.");
    return { value };
}
async function writeRegister() {
    const r = registerAt(),
        g = chosenOf($("rgpu"));
    if (!r || !g) return;
    try {
        const what = toWrite(r);
        const words = what.fields
            ? Object.entries(what.fields)
                  .map(([f, n]) => `${f} = ${hex(n)}`)
                  .join(", ")
            : what.value;
        if (
            (await confirmed(
                `Write ${registerName(r)} of GPU ${g.index}?`,
                `${words}. A wrong value can hang the GPU or the machine.`
            )) === null
        )
            return;
        await touchRegister("registers.write", what, "Written");
        for (const tr of $("rfields").children) tr.children[4].children[0].value = "";
    } catch (e) {
        say($("rsaid"), e.message, "answer bad");
    }
}
$("registers").addEventListener("toggle", loadRegisters);
$("rfind").addEventListener("input", listRegisters);
$("rlist").addEventListener("change", showRegister);
$("rform").addEventListener("submit", e => {
    e.preventDefault();
    return touchRegister("registers.read", {}, "Read");
});
$("rwrite").addEventListener("click", writeRegister);
$("rvaluebox").append(copyButton("the value", () => $("rvalue").value));
