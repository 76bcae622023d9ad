// SPDX-License-Identifier: MIT
// A client that swagger-client makes from the description makes three calls: client.mjs URL TOKEN
import { createRequire } from "node:module";

const SwaggerClient = createRequire(`${process.cwd()}/`)("swagger-client");
const [url, token] = process.argv.slice(2);
const client = await new SwaggerClient(`${url}/openapi.json`, { authorizations: { token } });

const health = await client.execute({ operationId: "health" });
const status = await client.execute({ operationId: "status" });
const call = { jsonrpc: "2.0", id: 1, method: "registers.read", params: { register: "NV_PMC_BOOT_0" } };
const answer = await client.execute({ operationId: "rpc", requestBody: call });
console.log(JSON.stringify({
    health: health.text.trim(),
    state: status.body.gpus[0].state,
    register: answer.body.result?.name ?? answer.body.error,
}));
