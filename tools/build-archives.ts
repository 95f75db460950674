import { parseArgs } from "node:util";
import { EXIT_CODE } from "../host-tuning/exit-code.ts";
import { buildArchives } from "./archive/build-archives.ts";

/** `node tools/build-archives.ts [--architecture x86_64|arm64]` builds both archives and prints where they are. */
async function main(): Promise<number> {
  const { values } = parseArgs({ options: { architecture: { type: "string", default: "x86_64" } } });
  const { architecture } = values;
  if (architecture !== "x86_64" && architecture !== "arm64") {
    process.stderr.write(`--architecture: x86_64 or arm64, not "${architecture}"\n`);
    return EXIT_CODE.badInput;
  }
  const archives = await buildArchives({ architecture });
  process.stdout.write(`${JSON.stringify(archives, null, 2)}\n`);
  return EXIT_CODE.asWanted;
}

process.exitCode = await main();
