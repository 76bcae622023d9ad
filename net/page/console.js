// SPDX-License-Identifier: MIT
// The RPC console: methods as rpc.discover tells them, parameters as JSON, answers, what was called.

const CALLS_MAX = 20;
let methods = [],
    session = "";
async function loadMethods() {
    if (!$("console").open || methods.length) return;
    try {
        methods = (await rpc("rpc.discover")).methods;
        const groups = new Map();
        for (const m of methods) {
            const group = m.name.slice(0, m.name.lastIndexOf("."));
            if (!groups.has(group)) groups.set(group, []);
            groups.get(group).push(m);
        }
        $("cmethod").replaceChildren(
            ...[...groups].map(([group, all]) => {
                const g = el("optgroup");
                g.label = group;
                g.append(
                    ...all.map(m => {
                        const o = el("option", m.name);
                        o.value = m.name;
                        return o;
                    })
                );
                return g;
            })
        );
        $("cmethod").value = "gpu.status";
        showMethod();
    } catch (e) {
        say($("csaid"), e.message, "answer bad");
    }
}
const methodAt = () => methods.find(m => m.name === $("cmethod").value);
function typeWords(s) {
    if (s.enum) return s.enum.join(", ");
    const type = [].concat(s.type ?? "anything").join(" or ");
    return s.default !== undefined ? `${type}, ${JSON.stringify(s.default)} when absent` : type;
}
// What stands in the editor first: all that is required, and the GPU where there are several.
function skeleton(m) {
    const out = {};
    for (const p of m.params) {
        if (p.name === "gpu" && gpus.length > 1) out.gpu = 0;
        else if (p.name === "session" && p.required) out.session = session;
        else if (p.required)
            out[p.name] = p.schema.enum
                ? p.schema.enum[0]
                : p.schema.type === "boolean"
                  ? false
                  : p.schema.type === "object"
                    ? {}
                    : [].concat(p.schema.type).includes("integer")
                      ? 0
                      : "";
    }
    return JSON.stringify(out, null, 1);
}
function showMethod() {
    const m = methodAt();
    if (!m) return;
    say($("cwords"), m.summary);
    $("cparams").value = skeleton(m);
    table(
        $("cdoc"),
        ["Parameter", "Type", "What it is"],
        m.params.map(p => ({
            key: p.name,
            cells: [p.name + (p.required ? " (needed)" : ""), typeWords(p.schema), p.summary]
        }))
    );
    show($("cdoc").parentElement, m.params.length);
}
const shellQuoted = text => `'${text.replaceAll("'", "'\\''")}'`;
function curl(method, params) {
    return `curl -s ${location.origin}/rpc -H 'Content-Type: application/json' -H "Authorization: Bearer $TOKEN" -d ${shellQuoted(JSON.stringify(call(1, method, params)))}`;
}
function paramsOf() {
    const text = $("cparams").value.trim();
    let params;
    try {
        params = text ? JSON.parse(text) : {};
    } catch (e) {
        throw new Error(`Parameters: ${e.message}`);
    }
    if (typeof params !== "object" || !params) throw new Error("Parameters: an object { } or a list [ ].");
    return params;
}
async function sendCall() {
    const m = methodAt();
    if (!m) return;
    try {
        const params = paramsOf();
        if (m.summary.includes("needs the token") && !(await tokenGiven())) return;
        $("cgo").disabled = true;
        say($("csaid"), "Sent.", "answer");
        const begun = performance.now(),
            a = await post(call(1, m.name, params), ORDER_MS);
        const ok = a && "result" in a,
            took = time(Math.round((performance.now() - begun) * 1000));
        if (ok && a.result && typeof a.result.session === "string")
            $("wsession").value = session = a.result.session;
        say(
            $("csaid"),
            `${m.name}: ${ok ? "answered" : "error"} after ${took}`,
            ok ? "answer" : "answer bad"
        );
        say($("cout"), JSON.stringify(ok ? a.result : a && (a.error ?? a), null, 1));
        const again = button(
            m.name,
            () => {
                $("cmethod").value = m.name;
                showMethod();
                $("cparams").value = JSON.stringify(params, null, 1);
                $("cparams").focus();
            },
            "plain"
        );
        $("cpast").prepend(
            box(
                "li",
                "",
                again,
                " ",
                el(
                    "span",
                    `${JSON.stringify(params).slice(0, 120)} ${ok ? took : "error"}`,
                    ok ? "dim" : "bad"
                )
            )
        );
        while ($("cpast").children.length > CALLS_MAX) $("cpast").children[CALLS_MAX].remove();
    } catch (e) {
        say($("csaid"), e.message, "answer bad");
    }
    $("cgo").disabled = false;
}
$("console").addEventListener("toggle", loadMethods);
$("cmethod").addEventListener("change", showMethod);
$("cform").addEventListener("submit", e => {
    e.preventDefault();
    return sendCall();
});
$("cparams").addEventListener("keydown", e => {
    if (e.key !== "Enter" || !(e.ctrlKey || e.metaKey)) return;
    e.preventDefault();
    sendCall();
});
$("cacts").append(
    copyButton("the answer", () => $("cout").textContent),
    " ",
    copyButton(
        "it as a curl command",
        () => {
            try {
                return curl($("cmethod").value, paramsOf());
            } catch (e) {
                return e.message;
            }
        },
        "Copy as curl"
    )
);
