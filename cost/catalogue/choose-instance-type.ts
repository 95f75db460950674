import { Decimal } from "decimal.js";
import type { HostNeeds } from "../../components/environment/environment-spec.ts";
import type { Catalogue, InstanceType } from "./catalogue.ts";

/** A family that has no type for these needs, by the type of it that came nearest. */
export interface RejectedFamily {
  readonly family: string;
  /** The type that lacks least. */
  readonly nearest: string;
  /** What that type lacks, one by one. */
  readonly lacks: readonly string[];
  readonly because: string;
}

export interface InstanceTypeChoice {
  /** Every type that satisfies the needs: cheapest first, then those without a price. */
  readonly ranked: readonly InstanceType[];
  /** Every family none of whose types is ranked, by name. */
  readonly rejected: readonly RejectedFamily[];
  /** Needs that the catalogue cannot answer and that are left to a check on the host. */
  readonly unchecked: readonly string[];
}

/** "NVIDIA A10G", "a10g" and "a10-g" are one model. */
function modelKey(model: string): string {
  return model
    .toLowerCase()
    .replace(/^(nvidia|amd)\b/, "")
    .replaceAll(/[^a-z0-9]/g, "");
}

function gpuShortfalls(spec: InstanceType, needs: HostNeeds): string[] {
  const models = spec.gpus.map((gpu) => gpu.model).join(", ");
  if (needs.gpus === 0) {
    if (spec.gpus.length > 0) return [`has GPUs (${models}) that are not asked for`];
    const accelerator = spec.accelerators[0];
    return accelerator === undefined
      ? []
      : [`has accelerators (${accelerator.model}) that are not asked for`];
  }
  if (spec.gpus.length === 0) return ["has no GPU"];
  const wanted = needs.gpuModel;
  const fitting =
    wanted === undefined ? spec.gpus : spec.gpus.filter((gpu) => modelKey(gpu.model) === modelKey(wanted));
  if (fitting.length === 0) return [`has GPUs of model ${models}, not ${wanted ?? ""}`];
  const have = fitting.reduce((sum, gpu) => sum + gpu.count, 0);
  if (have >= needs.gpus) return [];
  return [
    have === 0 ? `has a fraction of one ${models} GPU, not a whole one` : `has ${have} of ${needs.gpus} GPUs`,
  ];
}

function atLeast(what: string, have: number | undefined, need: number, unit: string): string[] {
  if (need === 0 || (have !== undefined && have >= need)) return [];
  return [have === undefined ? `${what} is not known` : `has ${have} of ${need}${unit} ${what}`];
}

/**
 * What `spec` lacks for `needs`, in words; empty when it satisfies them.
 *
 * Two things are asked of every host although no need names them: whole CPUs (burstable types earn theirs in credits and
 * flex types promise the full CPU for 95 % of a day, so no tuning holds) and the Nitro system (the agent tunes ENA queues and NVMe; Xen types have neither for sure). A host
 * without a GPU need gets no GPU or accelerator: it would want other drivers and another image.
 */
export function shortfalls(spec: InstanceType, needs: HostNeeds): readonly string[] {
  return [
    ...(spec.architecture === needs.architecture
      ? []
      : [`is ${spec.architecture}, not ${needs.architecture}`]),
    ...(/^t\d/.test(spec.family) ? ["is burstable: its CPUs are earned in credits"] : []),
    ...(spec.family.endsWith("-flex") ? ["is flex: the full CPU is not promised at all times"] : []),
    ...(spec.hypervisor === "xen" ? ["runs on Xen: ENA queues and NVMe are not given"] : []),
    ...(needs.bareMetal && !spec.bareMetal ? ["is virtualised, not bare metal"] : []),
    ...gpuShortfalls(spec, needs),
    ...atLeast("vCPUs", spec.vcpus, needs.vcpus, ""),
    ...atLeast("memory", spec.memoryMiB, Math.ceil(needs.memoryGiB * 1024), " MiB"),
    ...atLeast("local NVMe", spec.nvmeGB, needs.nvmeGB, " GB"),
    ...atLeast("baseline network", spec.networkMbitPerSec, needs.networkGbitPerSec * 1000, " Mbit/s"),
    ...atLeast("EFA interfaces", spec.efaInterfaces, needs.efaInterfaces, ""),
  ];
}

function comparePrice(a: InstanceType, b: InstanceType): number {
  if (a.price.kind === "priced" && b.price.kind === "priced") {
    return new Decimal(a.price.amount).comparedTo(b.price.amount);
  }
  return Number(a.price.kind === "unpriced") - Number(b.price.kind === "unpriced");
}

/**
 * Cheapest first; at one price a virtual machine before metal, which boots in minutes rather than seconds; then the
 * smaller, then by name, so that the order never depends on the file's.
 */
function compareTypes(a: InstanceType, b: InstanceType): number {
  return (
    comparePrice(a, b) ||
    Number(a.bareMetal) - Number(b.bareMetal) ||
    a.vcpus - b.vcpus ||
    a.memoryMiB - b.memoryMiB ||
    (a.type < b.type ? -1 : Number(a.type > b.type))
  );
}

/** Says which types have GPUs and are bare metal, where both were asked for and a family has but one of the two. */
function metalWithGpuNote(catalogue: Catalogue, needs: HostNeeds, nearest: InstanceType): string {
  if (!needs.bareMetal || needs.gpus === 0 || nearest.gpus.length === 0 || nearest.bareMetal) return "";
  const both = catalogue.instanceTypes.filter((spec) => spec.bareMetal && spec.gpus.length > 0);
  const names = both.map((spec) => spec.type).toSorted();
  return names.length === 0
    ? " (no type has GPUs on bare metal)"
    : ` (GPUs on bare metal exist only as ${names.join(" and ")})`;
}

function rejectionOf(
  catalogue: Catalogue,
  needs: HostNeeds,
  family: string,
  specs: readonly InstanceType[],
): RejectedFamily {
  const [nearest] = specs.toSorted(
    (a, b) =>
      shortfalls(a, needs).length - shortfalls(b, needs).length ||
      b.vcpus - a.vcpus ||
      b.memoryMiB - a.memoryMiB ||
      compareTypes(a, b),
  );
  if (nearest === undefined) throw new RangeError(`Cannot reject family ${family}: it has no types`);
  const lacks = shortfalls(nearest, needs);
  return {
    family,
    nearest: nearest.type,
    lacks,
    because: `${nearest.type} ${lacks.join("; ")}${metalWithGpuNote(catalogue, needs, nearest)}`,
  };
}

/**
 * The families that came nearest, for a message that says why nothing fits: those with GPUs first where GPUs are
 * needed, then by how much they lack, then the largest.
 */
export function nearestRejections(
  choice: InstanceTypeChoice,
  needs: HostNeeds,
  catalogue: Catalogue,
  limit: number,
): readonly RejectedFamily[] {
  const byType = new Map(catalogue.instanceTypes.map((spec) => [spec.type, spec]));
  const lacksGpu = (rejection: RejectedFamily): number =>
    Number(needs.gpus > 0 && byType.get(rejection.nearest)?.gpus.length === 0);
  const vcpus = (rejection: RejectedFamily): number => byType.get(rejection.nearest)?.vcpus ?? 0;
  return choice.rejected
    .toSorted((a, b) => lacksGpu(a) - lacksGpu(b) || a.lacks.length - b.lacks.length || vcpus(b) - vcpus(a))
    .slice(0, limit);
}

/** The types that satisfy `needs`, cheapest first, and for every family that has none the reason. Pure. */
export function chooseInstanceTypes(needs: HostNeeds, catalogue: Catalogue): InstanceTypeChoice {
  const ranked = catalogue.instanceTypes
    .filter((spec) => shortfalls(spec, needs).length === 0)
    .toSorted(compareTypes);
  const families = Map.groupBy(catalogue.instanceTypes, (spec) => spec.family);
  for (const spec of ranked) families.delete(spec.family);
  return {
    ranked,
    rejected: [...families]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([family, specs]) => rejectionOf(catalogue, needs, family, specs)),
    unchecked:
      needs.numaNodes === undefined
        ? []
        : [
            `numaNodes ${needs.numaNodes}: EC2 does not publish NUMA nodes; the agent counts them on the host`,
          ],
  };
}
