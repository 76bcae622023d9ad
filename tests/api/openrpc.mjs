// SPDX-License-Identifier: MIT
// Whether a document is OpenRPC, as open-rpc's own validator sees it: openrpc.mjs FILE
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { validateOpenRPCDocument, parseOpenRPCDocument } = createRequire(`${process.cwd()}/`)("@open-rpc/schema-utils-js");
const document = JSON.parse(readFileSync(process.argv[2], "utf8"));
const valid = validateOpenRPCDocument(document);
if (valid !== true) {
    console.error(String(valid));
    process.exit(1);
}
const parsed = await parseOpenRPCDocument(document);
console.log(`${parsed.methods.length} methods`);
