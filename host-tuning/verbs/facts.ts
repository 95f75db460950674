import { readFacts } from "../facts/read-facts.ts";
import { type ExitCode, EXIT_CODE } from "../exit-code.ts";
import { renderFacts } from "../report/render-facts.ts";
import { openHost } from "../sys/live-host.ts";
import { type CommonOptions, writeJson } from "./verb-frame.ts";

/** What the agent found on the host. */
export async function facts(options: CommonOptions): Promise<ExitCode> {
  const host = openHost(options.root);
  const hostFacts = await readFacts(host);
  if (options.json === true) writeJson(hostFacts);
  else {
    // The inventory is for people only and costs processes, so no other verb loads it.
    const inventory = host.isLive ? await (await import("../report/inventory.ts")).readInventory() : [];
    process.stdout.write(renderFacts(hostFacts, inventory));
  }
  return EXIT_CODE.asWanted;
}
