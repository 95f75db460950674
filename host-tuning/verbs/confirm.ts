import { type HostConfirmation, confirmHost } from "../engine/confirm-host.ts";
import { type ExitCode, EXIT_CODE } from "../exit-code.ts";
import { openHost } from "../sys/live-host.ts";
import { type CommonOptions, writeJson } from "./verb-frame.ts";

/** Takes a person's word that the host can still be reached: what waits for it is kept, and its timer stopped. */
export async function confirm(options: CommonOptions): Promise<ExitCode> {
  const confirmation = await confirmHost(openHost(options.root));
  if (options.json === true) writeJson(confirmation);
  else process.stdout.write(textOf(confirmation));
  return confirmation.waiting.length > 0 ? EXIT_CODE.rebootNeeded : EXIT_CODE.asWanted;
}

function textOf({ confirmed, waiting }: HostConfirmation): string {
  const lines = [
    ...confirmed.map(({ keys }) => `Confirmed: ${keys.join(", ")}`),
    ...waiting.map(({ keys, because }) => `Waiting: ${keys.join(", ")} ${because}`),
  ];
  return lines.length === 0 ? "Nothing waits for a confirmation.\n" : `${lines.join("\n")}\n`;
}
