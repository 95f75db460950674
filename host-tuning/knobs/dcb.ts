import { TuningError } from "../errors.ts";
import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import type { Host, ToolResult } from "../sys/host.ts";
import type { Target } from "./knob.ts";
import { nicEntries } from "./nic-targets.ts";

/**
 * The tool that speaks of a NIC's data centre bridging: `dcb` of iproute2 (since 5.11), or NVIDIA's `mlnx_qos` for
 * drivers that do not answer to it.
 */
export type DcbTool = "dcb" | "mlnx_qos";

export const DCB_FIELDS = {
  family: "nic",
  scope: "nic",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  isReversible: true,
  after: ["sriov_numvfs"],
  absentBecause: "the profile asks for no RoCE (nics[].roce)",
} as const;

type Roce = NonNullable<HostProfile["nics"][number]["roce"]>;

/** Physical NICs that the profile wants lossless. */
export function roceTargets(facts: HostFacts, profile: HostProfile): readonly Target[] {
  return facts.nics
    .filter((nic) => nic.isPhysical && roceOf(nic.name, facts, profile).length > 0)
    .map(({ name }) => ({ name }));
}

export function roceOf(name: string, facts: HostFacts, profile: HostProfile): readonly Roce[] {
  const nic = facts.nics.find((candidate) => candidate.name === name);
  return nic === undefined ? [] : nicEntries(nic, profile).flatMap(({ roce }) => roce ?? []);
}

/** What one of the two tools says of a NIC. */
export interface DcbAnswer {
  readonly tool: DcbTool;
  readonly text: string;
}

/**
 * Asks dcb, then mlnx_qos.
 *
 * @returns `undefined` when neither is installed or knows this NIC
 * @throws {TuningError} TOOL_FAILED when a tool fails in another way
 */
export async function askDcb(
  host: Host,
  nic: string,
  object: "apptrust" | "pfc",
): Promise<DcbAnswer | undefined> {
  const dcb = await host.runTool("dcb", [object, "show", "dev", nic]);
  if (dcb?.exitCode === 0) return { tool: "dcb", text: dcb.stdout };
  if (dcb !== undefined && !isUnknown(dcb)) throw failure(nic, `dcb ${object} show`, dcb);
  const mlnx = await host.runTool("mlnx_qos", ["-i", nic]);
  if (mlnx === undefined) return undefined;
  if (mlnx.exitCode === 0) return { tool: "mlnx_qos", text: mlnx.stdout };
  if (isUnknown(mlnx)) return undefined;
  throw failure(nic, "mlnx_qos", mlnx);
}

/** An older dcb does not know the object, or the driver has none of this. */
function isUnknown({ stdout, stderr }: ToolResult): boolean {
  return /operation not supported|is unknown|no such device|attribute .*not found/i.test(stderr + stdout);
}

function failure(nic: string, what: string, { exitCode, stderr }: ToolResult): TuningError {
  return new TuningError(
    "TOOL_FAILED",
    nic,
    `Cannot read data centre bridging of ${nic}: ${what} ended with ${exitCode}: ${stderr.trim()}`,
  );
}
