import { type PulumiCli, findPulumiCli } from "../../tools/pulumi/get-cli.ts";
import type { Part } from "./needs.ts";

const found = await findPulumiCli();

/** The real engine. */
export const PULUMI: Part = {
  name: "the Pulumi command line",
  howToGet: "node tools/pulumi/get-cli.ts",
  isThere: () => !("missing" in found),
};

/** The command line in a test that asked for the part above. */
export function pulumiCli(): PulumiCli {
  if ("missing" in found) throw new Error(`${found.missing} is missing: ${found.tried.join("; ")}`);
  return found;
}
