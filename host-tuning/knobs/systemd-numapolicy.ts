import * as z from "zod";
import type { Host } from "../sys/host.ts";
import { leave, setTo } from "./desired.ts";
import { defineKnob } from "./knob.ts";
import { inForce, isConfigured } from "./pending-restart.ts";
import { placeService } from "./service-placement.ts";
import {
  NO_SYSTEMD_SERVICE,
  dropIn,
  hasSystemd,
  readServicePid,
  readUnitAssignments,
  readUnitList,
  serviceTarget,
} from "./systemd-unit.ts";

/**
 * systemd.NUMAPolicy: from which node the service gets its memory, "policy:nodes".
 *
 * Only where the service is bound to a node's CPUs (systemd.AllowedCPUs). "bind" when the profile states the service's
 * memory and the node has room for it; else "preferred", because a bound service is killed when its node is full while
 * the other one is empty. Anchors have no such knob (research: no tuner sets a memory policy for a service).
 *
 * @example bound to node 1, memory not stated: "preferred:1"
 */
export const systemdNumapolicy = defineKnob<string>({
  id: "systemd.NUMAPolicy",
  title: "Node that the service gets its memory from",
  family: "systemd",
  unit: "text",
  scope: "unit",
  phase: "early",
  takesEffect: "service-restart",
  survivesReboot: true,
  isReversible: true,
  risk: { level: "medium", what: "with bind, the service is killed when its node's memory is used up" },
  kernelDefault: "default: memory comes from the node of the CPU that first writes to it",
  kernelRange: "systemd 243 and newer",
  sources: [
    "https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#NUMAPolicy=",
    "https://docs.kernel.org/admin-guide/mm/numa_memory_policy.html",
  ],
  value: z
    .string()
    .regex(
      /^(?:preferred:\d+|(?:bind|interleave):\d+(?:[-,]\d+)*)$/,
      'a policy as in "preferred:1" or "bind:0-1"',
    ),
  targets: serviceTarget,
  absentBecause: NO_SYSTEMD_SERVICE,
  async read(host, { name: unit }) {
    if (!(await hasSystemd(host))) return undefined;
    return inForce(await readProcessPolicy(host, unit), await readConfiguredPolicy(host, unit));
  },
  desired({ facts, profile }) {
    const placement = placeService(facts, profile);
    if (placement.kind !== "bound") return leave(`no node to prefer: ${placement.because}`);
    const { node, fitsInMemory } = placement;
    const memory = facts.numa.nodes.find((candidate) => candidate.id === node)?.memoryBytes ?? 0;
    if (memory === 0) return leave(`node ${node} has no memory (${placement.because})`);
    return fitsInMemory
      ? setTo(`bind:${node}`, `${placement.because}, and the service fits into its ${memory} bytes`)
      : setTo(
          `preferred:${node}`,
          `${placement.because}; preferred and not bound, as the service is not known to fit into its ${memory} bytes`,
        );
  },
  writes(value, target) {
    const [policy = "", nodes = ""] = value.split(":");
    // systemd adds masks up as it does CPU lists; the empty one starts anew.
    return [dropIn(target, "numa-policy", [`NUMAPolicy=${policy}`, "NUMAMask=", `NUMAMask=${nodes}`])];
  },
  isSatisfied: isConfigured,
});

async function readConfiguredPolicy(host: Host, unit: string): Promise<string> {
  const policy = (await readUnitAssignments(host, unit, "NUMAPolicy")).at(-1) ?? "";
  const mask = await readUnitList(host, unit, "NUMAMask");
  return policy === "" || policy === "default" ? "default" : `${policy}:${mask}`;
}

/** The kernel's names in numa_maps for what systemd calls otherwise. */
const SYSTEMD_NAMES: Readonly<Record<string, string>> = { prefer: "preferred" };

/** Every mapping without a policy of its own shows the process's, and the first one (the program) never has its own. */
async function readProcessPolicy(host: Host, unit: string): Promise<string | undefined> {
  const pid = await readServicePid(host, unit);
  const text = pid === undefined ? undefined : await host.readText(`/proc/${pid}/numa_maps`);
  const [, name, nodes] = /^[0-9a-f]+ ([a-z]+)(?:=[a-z]+)?(?::([0-9,-]+))?[ \n]/.exec(text ?? "") ?? [];
  if (name === undefined) return undefined;
  const policy = SYSTEMD_NAMES[name] ?? name;
  return nodes === undefined ? policy : `${policy}:${nodes}`;
}
