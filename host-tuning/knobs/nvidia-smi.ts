import * as z from "zod";
import { TuningError } from "../errors.ts";
import type { HostFacts } from "../facts/host-facts.ts";
import type { Host, ToolResult } from "../sys/host.ts";
import type { Target, ToolWrite } from "./knob.ts";
import { shareWhileUnderWay } from "./under-way.ts";

export const NO_NVIDIA_GPU = "no NVIDIA GPU that the host itself uses";

/** Manual of the tool's options and fields. */
export const NVIDIA_SMI_MANUAL = "https://docs.nvidia.com/deploy/nvidia-smi/index.html";

/** Drivers that a GPU has when it is not the host's to use: given to a VM, or NVIDIA's own driver is not wanted. */
const OTHERS_DRIVERS: ReadonlySet<string> = new Set(["vfio-pci", "nouveau", "nova_core"]);

/**
 * NVIDIA's GPUs, by PCI address. One without a driver is among them, so that a host whose driver is missing or did not
 * load is reported and not passed over.
 */
export function gpuTargets(facts: HostFacts): readonly Target[] {
  return facts.gpus
    .filter((gpu) => gpu.vendorId === "10de" && !OTHERS_DRIVERS.has(gpu.driver ?? ""))
    .map((gpu) => ({ name: gpu.pciAddress }));
}

/** Why a GPU's setting cannot be read at all: the report says it instead of "this host has none". */
export async function readGpuAbsence(host: Host, target: Target): Promise<string | undefined> {
  const driver = (await host.realPath(`/sys/bus/pci/devices/${target.name}/driver`))?.split("/").at(-1);
  if (driver === undefined && (await host.exists(`/sys/bus/pci/devices/${target.name}`))) {
    const tool = (await query(host, [])) === undefined ? "; nvidia-smi is not installed" : "";
    return `no driver is bound to ${target.name}${tool}`;
  }
  if (!host.isLive) return "nvidia-smi speaks of the running host alone";
  return (await query(host, [])) === undefined ? "nvidia-smi is not installed" : undefined;
}

/** What nvidia-smi says where there is no value: a GPU without the feature, one that is ill, one in MIG mode. */
const ABSENT =
  /^\[?(N\/A|Not Supported|Not Found|Unknown Error|GPU is lost|Insufficient Permissions|Function Not Found|ERR!)\]?$/i;

const word = z
  .string()
  .transform((text) => text.trim())
  .transform((text) => (text === "" || ABSENT.test(text) ? undefined : text));

const figure = word.pipe(
  z.union([
    z.undefined(),
    z
      .string()
      .regex(/^\d+(\.\d+)?$/)
      .transform(Number),
  ]),
);

const onOff = word.pipe(z.enum(["Enabled", "Disabled"]).optional());

/** The fields that the knobs read, all in one call: starting nvidia-smi takes longer than what it is asked. */
const FIELDS = {
  "pci.bus_id": z.string().transform((text) => text.trim().toLowerCase()),
  persistence_mode: onOff,
  compute_mode: word,
  "enforced.power.limit": figure,
  "power.limit": figure,
  "power.min_limit": figure,
  "power.max_limit": figure,
  "mig.mode.current": onOff,
  "mig.mode.pending": onOff,
  "ecc.mode.current": onOff,
  "ecc.mode.pending": onOff,
  "clocks.current.graphics": figure,
  "clocks.max.graphics": figure,
} as const;

const FIELD_NAMES = Object.keys(FIELDS) as (keyof typeof FIELDS)[];
const rowSchema = z.object(FIELDS);

/** A GPU as nvidia-smi sees it; `undefined` for what it does not have or cannot tell. */
export type GpuReading = z.output<typeof rowSchema>;

/**
 * Parses `--format=csv,noheader,nounits`: one line a GPU, in the order of the fields.
 *
 * @throws {TuningError} TOOL_FAILED when a line is not what was asked for
 */
export function parseGpus(stdout: string): GpuReading[] {
  return stdout
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const cells = line.split(",");
      const row = rowSchema.safeParse(
        Object.fromEntries(FIELD_NAMES.map((name, index) => [name, cells[index] ?? ""])),
      );
      if (row.success && cells.length === FIELD_NAMES.length) return row.data;
      throw new TuningError(
        "TOOL_FAILED",
        "nvidia-smi",
        `Cannot understand nvidia-smi: "${line.trim().slice(0, 200)}"`,
      );
    });
}

/** nvidia-smi counts PCI domains in eight digits, the kernel in four or more. */
function isSameAddress(busId: string, address: string): boolean {
  return busId.replace(/^0+(?=[0-9a-f]{4}:)/, "") === address.toLowerCase();
}

/**
 * What nvidia-smi says of a GPU. Knobs and targets that are read at the same time share one call for all GPUs; where
 * that fails, as one lost GPU may spoil it for the rest, each is asked by itself.
 *
 * @returns `undefined` when nvidia-smi is not installed
 * @throws {TuningError} TOOL_FAILED with what nvidia-smi said
 */
export async function readGpu(host: Host, target: Target): Promise<GpuReading | undefined> {
  const all = await query(host, []);
  if (all === undefined || (await hasNoDriver(host, target))) return undefined;
  if (all.exitCode === 0) {
    const found = parseGpus(all.stdout).find((gpu) => isSameAddress(gpu["pci.bus_id"], target.name));
    if (found !== undefined) return found;
  }
  const one = await query(host, ["-i", target.name]);
  if (one?.exitCode === 0) {
    const [found] = parseGpus(one.stdout);
    if (found !== undefined) return found;
  }
  throw failure(`Cannot read ${target.name}`, target, one ?? all);
}

async function hasNoDriver(host: Host, target: Target): Promise<boolean> {
  const device = `/sys/bus/pci/devices/${target.name}`;
  return (await host.exists(device)) && !(await host.exists(`${device}/driver`));
}

async function query(host: Host, selection: readonly string[]): Promise<ToolResult | undefined> {
  const args = [...selection, `--query-gpu=${FIELD_NAMES.join(",")}`, "--format=csv,noheader,nounits"];
  return await shareWhileUnderWay(host, `nvidia-smi ${args.join(" ")}`, () =>
    host.runTool("nvidia-smi", args),
  );
}

/** A tool's refusal in its own words: nvidia-smi explains itself on either stream. */
export function failure(what: string, target: Target, { exitCode, stdout, stderr }: ToolResult): TuningError {
  const said = `${stderr.trim()} ${stdout.trim()}`.trim().replaceAll(/\s+/g, " ").slice(0, 200);
  return new TuningError(
    "TOOL_FAILED",
    target.name,
    `${what}: nvidia-smi ended with ${exitCode}: ${said === "" ? "no word" : said}`,
  );
}

/** One setting of one GPU, and the command that takes it back. */
export function gpuWrite(
  target: Target,
  options: readonly string[],
  undo: readonly string[],
  more: { readonly survivesReboot?: true } = {},
): ToolWrite {
  return {
    kind: "tool",
    command: ["nvidia-smi", "-i", target.name, ...options],
    undo: ["nvidia-smi", "-i", target.name, ...undo],
    ...more,
  };
}

/** Reasons for which the GPU's clock is below what it could be, most telling first. NVML's bit mask. */
const CLOCK_REASONS: readonly (readonly [bit: number, name: string])[] = [
  [0x8, "hardware slowdown"],
  [0x40, "hardware thermal slowdown"],
  [0x80, "power brake"],
  [0x20, "software thermal slowdown"],
  [0x4, "software power cap"],
  [0x2, "clocks set by an application or a lock"],
  [0x10, "sync boost group"],
  [0x100, "display clocks"],
  [0x1, "idle"],
];

/** What slows this GPU now. The field was renamed with driver 535, and the old name still answers. */
export async function readClockReasons(host: Host, target: Target): Promise<string | undefined> {
  const field = "clocks_throttle_reasons.active";
  const result = await host.runTool("nvidia-smi", [
    "-i",
    target.name,
    `--query-gpu=${field},clocks.current.graphics,temperature.gpu,power.draw`,
    "--format=csv,noheader",
  ]);
  if (result?.exitCode !== 0) return undefined;
  const [mask = "", clock = "?", degrees = "?", power = "?"] = result.stdout.trim().split(/,\s*/);
  if (!/^0x[0-9a-f]+$/i.test(mask)) return undefined;
  const bits = Number(mask);
  const reasons = CLOCK_REASONS.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name);
  const now = `${clock}, ${power}, ${degrees} degrees Celsius`;
  return `${now}; held back by: ${reasons.length === 0 ? "nothing" : reasons.join(", ")}`;
}
