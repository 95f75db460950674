import { PulumiCommand } from "@pulumi/pulumi/automation/index.js";

/** `node tools/pulumi/download-cli.ts FOLDER`: the vendor's installer, in a process of its own so that it can be stopped. */
const [root] = process.argv.slice(2);
if (root === undefined) throw new RangeError("Cannot install the Pulumi command line: no folder given");
await PulumiCommand.install({ root }).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
