import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { GpuFacts } from "../../host-tuning/facts/host-facts.ts";
import type { ToolResult } from "../../host-tuning/sys/host.ts";
import { type LiveHost, openHost } from "../../host-tuning/sys/live-host.ts";
import { runTool } from "../../host-tuning/sys/tool.ts";
import { createHostRoot, type HostRoot, type HostTree } from "./host-root.ts";
import { type Part, program } from "./needs.ts";

/** The double is a Python program. */
export const PYTHON: Part = program("python3", "apt-get install python3");

const DOUBLE = resolve(import.meta.dirname, "../fixtures/programs/nvidia-smi");

export const GPU_ADDRESS = "0000:41:00.0";

/** A GPU as the double of nvidia-smi keeps it; the keys are the names of its fields. */
export type DoubledGpu = Readonly<Record<string, string | boolean | number>>;

export const H100: DoubledGpu = {
  "pci.bus_id": GPU_ADDRESS,
  persistence_mode: "Disabled",
  compute_mode: "Default",
  "enforced.power.limit": "700.00",
  "power.limit": "700.00",
  "power.min_limit": "200.00",
  "power.max_limit": "700.00",
  "mig.mode.current": "Disabled",
  "mig.mode.pending": "Disabled",
  "ecc.mode.current": "Enabled",
  "ecc.mode.pending": "Enabled",
  "clocks.current.graphics": "345",
  "clocks.max.graphics": "1980",
  "clocks_throttle_reasons.active": "0x0000000000000001",
};

/** A card for desks: no ECC, no MIG, no power limit to set. */
export const CARD_WITHOUT: DoubledGpu = {
  ...H100,
  "enforced.power.limit": "[N/A]",
  "power.limit": "[N/A]",
  "power.min_limit": "[N/A]",
  "power.max_limit": "[N/A]",
  "mig.mode.current": "[N/A]",
  "mig.mode.pending": "[N/A]",
  "ecc.mode.current": "[Not Supported]",
  "ecc.mode.pending": "ERR!",
};

export const GPU_FACTS: GpuFacts = {
  pciAddress: GPU_ADDRESS,
  vendorId: "10de",
  deviceId: "2330",
  vendor: "NVIDIA",
  pciClass: "0x030200",
  node: 0,
  driver: "nvidia",
  driverVersion: "580.65.06",
  model: "NVIDIA H100 80GB HBM3",
  linkSpeed: null,
  linkWidth: null,
  maxLinkSpeed: null,
  maxLinkWidth: null,
  isLinkNarrow: null,
};

/** A host with a double of nvidia-smi, and one of systemctl that knows oneshot units. */
export interface GpuHost extends AsyncDisposable {
  readonly host: LiveHost;
  readonly tree: HostRoot;
  /** Every command that was run. */
  readonly calls: readonly string[];
  gpu(address?: string): Promise<Record<string, unknown>>;
  /** Another state of the double: `say` makes it fail with that text. */
  become(state: Readonly<Record<string, unknown>>): Promise<void>;
}

export async function createGpuHost(gpus: readonly DoubledGpu[], tree: HostTree = {}): Promise<GpuHost> {
  const folder = await mkdtemp(join(tmpdir(), "bedplate-gpu-"));
  const smi = join(folder, "nvidia-smi");
  await cp(DOUBLE, smi);
  const become = async (state: Readonly<Record<string, unknown>>): Promise<void> =>
    await writeFile(`${smi}.json`, JSON.stringify({ gpus, profiles: ["1g.10gb", "3g.40gb"], ...state }));
  await become({});
  const root = await createHostRoot({
    "/etc/.keep": "",
    "/var/lib/.keep": "",
    "/run/.keep": "",
    ...Object.fromEntries(gpus.map((gpu) => [driverPath(String(gpu["pci.bus_id"])), "nvidia\n"])),
    ...tree,
  });
  const calls: string[] = [];
  const active = new Set<string>();
  const run = async (tool: string, args: readonly string[]): Promise<ToolResult | undefined> => {
    calls.push([tool, ...args].join(" "));
    if (tool === "nvidia-smi") return await runTool(smi, args);
    if (tool !== "systemctl") return undefined;
    const [verb = "", unit = ""] = args.filter((arg) => !arg.startsWith("--"));
    const ok = { exitCode: 0, stdout: "", stderr: "" };
    if (verb === "daemon-reload") return ok;
    if (verb === "is-active") return { ...ok, exitCode: active.has(unit) ? 0 : 3 };
    const text = await root.read(`/run/systemd/system/${unit}`).catch(() => "");
    const wanted = verb === "stop" ? "ExecStop" : "ExecStart";
    const [program, ...words] = new RegExp(`^${wanted}=(.+)$`, "m").exec(text)?.[1]?.split(" ") ?? [];
    if (verb === "stop") active.delete(unit);
    else active.add(unit);
    return program === undefined ? ok : await run(program, words);
  };
  return {
    host: Object.assign(openHost(root.root), { runTool: run }),
    tree: root,
    calls,
    become,
    async gpu(address = GPU_ADDRESS) {
      const state = JSON.parse(await readFile(`${smi}.json`, "utf8")) as {
        gpus: Record<string, unknown>[];
      };
      return state.gpus.find((gpu) => gpu["pci.bus_id"] === address) ?? {};
    },
    async [Symbol.asyncDispose]() {
      await root[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function driverPath(address: string): string {
  return `/sys/bus/pci/devices/${address}/driver`;
}
