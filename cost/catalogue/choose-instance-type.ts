import { Decimal } from "decimal.js";
import type { AwsPool, HostNeeds } from "../../components/environment/environment-spec.ts";
import type { Catalogue, InstanceType, Price } from "./catalogue.ts";

/** What a pool asks of an instance type: its needs, and the terms on which only some types are sold. */
export type PoolDemand = Pick<AwsPool, "needs"> &
  Partial<Pick<AwsPool, "count" | "spot" | "placement" | "zones" | "capacityBlockId">>;

/** A family that has no type for these needs, by the type of it that came nearest. */
export interface RejectedFamily {
  readonly family: string;
  /** The type that lacks least. */
  readonly nearest: string;
  /** What that type lacks, one by one. */
  readonly lacks: readonly string[];
  readonly because: string;
}

/** One type that does not do, and everything that it lacks. */
export interface RejectedType {
  readonly type: string;
  readonly lacks: readonly string[];
}

export interface InstanceTypeChoice {
  /** Every type that satisfies the needs: cheapest first, then those without a price. */
  readonly ranked: readonly InstanceType[];
  /** Every family none of whose types is ranked, by name. */
  readonly rejected: readonly RejectedFamily[];
  /** Every type that is not ranked, by name: also those of families that have another size ranked. */
  readonly rejectedTypes: readonly RejectedType[];
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

/** Cores and threads for a launch template, as CPU options take them: both or neither. */
export interface CpuOptions {
  readonly coreCount: number;
  readonly threadsPerCore: number;
}

/** How a type's CPU comes to be as needed: as it boots, by CPU options, or not at all. */
type CpuFit =
  | { readonly kind: "as-it-boots"; readonly vcpus: number }
  | { readonly kind: "by-options"; readonly vcpus: number; readonly options: CpuOptions }
  | { readonly kind: "unfit"; readonly because: string };

function fitCpu(spec: InstanceType, needs: HostNeeds): CpuFit {
  if (needs.threadsPerCore === undefined && needs.coreCount === undefined) {
    return { kind: "as-it-boots", vcpus: spec.vcpus };
  }
  if (spec.cpu === undefined) return { kind: "unfit", because: "cores and threads are not known" };
  const { settable } = spec.cpu;
  const options = {
    coreCount: needs.coreCount ?? spec.cpu.cores,
    threadsPerCore: needs.threadsPerCore ?? spec.cpu.threadsPerCore,
  };
  const vcpus = options.coreCount * options.threadsPerCore;
  if (options.coreCount === spec.cpu.cores && options.threadsPerCore === spec.cpu.threadsPerCore) {
    return { kind: "as-it-boots", vcpus };
  }
  const boots = `boots with ${spec.cpu.cores} cores of ${spec.cpu.threadsPerCore} threads`;
  if (settable === undefined) {
    const refused = spec.bareMetal ? "CPU options are refused on bare metal" : "it takes no CPU options";
    return { kind: "unfit", because: `${boots}, and ${refused}` };
  }
  if (!settable.cores.includes(options.coreCount)) {
    return { kind: "unfit", because: `${boots}, and cannot be set to ${options.coreCount} cores` };
  }
  if (!settable.threadsPerCore.includes(options.threadsPerCore)) {
    return {
      kind: "unfit",
      because: `${boots}, and cannot be set to ${options.threadsPerCore} threads a core`,
    };
  }
  return { kind: "by-options", vcpus, options };
}

/** The CPU options that `spec` needs, or undefined where it boots as needed. */
export function cpuOptionsOf(spec: InstanceType, needs: HostNeeds): CpuOptions | undefined {
  const fit = fitCpu(spec, needs);
  return fit.kind === "by-options" ? fit.options : undefined;
}

function cpuShortfalls(spec: InstanceType, needs: HostNeeds): string[] {
  const fit = fitCpu(spec, needs);
  if (fit.kind === "unfit") return [fit.because, ...atLeast("vCPUs", spec.vcpus, needs.vcpus, "")];
  return atLeast("vCPUs", fit.vcpus, needs.vcpus, "");
}

function diskShortfalls(spec: InstanceType, needs: HostNeeds): string[] {
  if (needs.nvmeGB === 0 && needs.nvmeDisks === 0) return [];
  if (spec.disks?.kind === "hdd") return ["has hard disks, not NVMe flash"];
  const count = spec.disks === undefined || spec.disks.kind === "nvme" ? spec.disks?.count : 0;
  return [
    ...atLeast("local NVMe", spec.nvmeGB, needs.nvmeGB, " GB"),
    ...atLeast("local NVMe disks", count, needs.nvmeDisks, ""),
  ];
}

/** EFA interfaces that a type can have: no more than EC2 allows, and one on each card that carries EFA. */
function efaInterfacesOf(spec: InstanceType): number {
  if (spec.cards === undefined) return spec.efaInterfaces;
  return Math.min(spec.efaInterfaces, spec.cards.filter((card) => card.carriesEfa).length);
}

function termShortfalls(spec: InstanceType, demand: PoolDemand): string[] {
  const sold = spec.usageClasses ?? [];
  return [
    ...(demand.spot === true && !sold.includes("spot") ? ["is not sold as spot"] : []),
    ...(demand.capacityBlockId !== undefined && !sold.includes("capacity-block")
      ? ["is not sold in capacity blocks"]
      : []),
    ...(demand.placement === "cluster" && spec.clusterPlacement !== true
      ? ["cannot stand in a cluster placement group"]
      : []),
  ];
}

/**
 * Zones are asked of the account alone, and then every type says in which of them it is. Two hosts and more want two
 * zones, so that one of them stays; a cluster placement group has one by definition.
 */
function zoneShortfalls(spec: InstanceType, demand: PoolDemand, zones: readonly string[]): string[] {
  const offered = spec.zones;
  if (offered === undefined) return [];
  if (demand.zones !== undefined) {
    const lacking = demand.zones.filter((zone) => !offered.includes(zone));
    return lacking.length === 0 ? [] : [`is not offered in ${lacking.join(", ")}`];
  }
  if (offered.length === 0) return [`is not offered in ${zones.join(", ")}`];
  const wantsTwo = (demand.count ?? 1) > 1 && demand.placement !== "cluster" && zones.length > 1;
  return wantsTwo && offered.length === 1
    ? [`is offered in ${offered.join()} alone, and ${demand.count} hosts want two zones`]
    : [];
}

/**
 * What `spec` lacks for `demand`, in words; empty when it satisfies it.
 *
 * Two things are asked of every host although no need names them: whole CPUs (burstable types earn theirs in credits and
 * flex types promise the full CPU for 95 % of a day, so no tuning holds) and the Nitro system (the agent tunes ENA queues and NVMe; Xen types have neither for sure). A host
 * without a GPU need gets no GPU or accelerator: it would want other drivers and another image.
 */
export function shortfalls(
  spec: InstanceType,
  demand: PoolDemand,
  zones: readonly string[] = [],
): readonly string[] {
  const { needs } = demand;
  return [
    ...(spec.unlisted === undefined ? [] : [spec.unlisted]),
    ...(spec.architecture === needs.architecture
      ? []
      : [`is ${spec.architecture}, not ${needs.architecture}`]),
    ...(/^t\d/.test(spec.family) ? ["is burstable: its CPUs are earned in credits"] : []),
    ...(spec.family.endsWith("-flex") ? ["is flex: the full CPU is not promised at all times"] : []),
    ...(spec.hypervisor === "xen" ? ["runs on Xen: ENA queues and NVMe are not given"] : []),
    ...(needs.bareMetal && !spec.bareMetal ? ["is virtualised, not bare metal"] : []),
    ...gpuShortfalls(spec, needs),
    ...cpuShortfalls(spec, needs),
    ...atLeast("memory", spec.memoryMiB, Math.ceil(needs.memoryGiB * 1024), " MiB"),
    ...diskShortfalls(spec, needs),
    ...atLeast("baseline network", spec.networkMbitPerSec, needs.networkGbitPerSec * 1000, " Mbit/s"),
    ...atLeast("EFA interfaces", efaInterfacesOf(spec), needs.efaInterfaces, ""),
    ...(needs.enaExpress && spec.enaExpress !== true ? ["has no ENA Express"] : []),
    ...termShortfalls(spec, demand),
    ...zoneShortfalls(spec, demand, zones),
  ];
}

function comparePrice(a: InstanceType, b: InstanceType): number {
  const kinds = Number(a.price.kind === "unpriced") - Number(b.price.kind === "unpriced");
  if (kinds !== 0) return kinds;
  const [one, other] = [orderingAmount(a), orderingAmount(b)];
  if (one === undefined || other === undefined)
    return Number(one === undefined) - Number(other === undefined);
  return one.comparedTo(other);
}

/** Amounts as numbers, by the price that says them: each is compared a dozen times in every ranking of every pool. */
const AMOUNTS = new WeakMap<Price, Decimal>();

/** The price, or the price of the region that is known: types are dear or cheap in the same order everywhere, nearly. */
function orderingAmount({ price }: InstanceType): Decimal | undefined {
  const text = price.kind === "priced" ? price.amount : price.elsewhere?.amount;
  if (text === undefined) return undefined;
  const amount = AMOUNTS.get(price) ?? new Decimal(text);
  AMOUNTS.set(price, amount);
  return amount;
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

interface JudgedType {
  readonly spec: InstanceType;
  readonly lacks: readonly string[];
}

function rejectionOf(
  catalogue: Catalogue,
  needs: HostNeeds,
  family: string,
  judged: readonly JudgedType[],
): RejectedFamily {
  const [nearest] = judged.toSorted(
    (a, b) =>
      a.lacks.length - b.lacks.length ||
      b.spec.vcpus - a.spec.vcpus ||
      b.spec.memoryMiB - a.spec.memoryMiB ||
      compareTypes(a.spec, b.spec),
  );
  if (nearest === undefined) throw new RangeError(`Cannot reject family ${family}: it has no types`);
  const { spec, lacks } = nearest;
  return {
    family,
    nearest: spec.type,
    lacks,
    because: `${spec.type} ${lacks.join("; ")}${metalWithGpuNote(catalogue, needs, spec)}`,
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

function judge(demand: PoolDemand, { instanceTypes, zones }: Catalogue): readonly JudgedType[] {
  return instanceTypes.map((spec) => ({ spec, lacks: shortfalls(spec, demand, zones) }));
}

function rankJudged(judged: readonly JudgedType[]): readonly InstanceType[] {
  return judged
    .filter(({ lacks }) => lacks.length === 0)
    .map(({ spec }) => spec)
    .toSorted(compareTypes);
}

/** The types that satisfy `demand`, cheapest first, without the reasons against the others. Pure. */
export function rankInstanceTypes(demand: PoolDemand, catalogue: Catalogue): readonly InstanceType[] {
  return rankJudged(judge(demand, catalogue));
}

/** The types that satisfy `demand`, cheapest first, and for every other type and family the reason. Pure. */
export function chooseInstanceTypes(demand: PoolDemand, catalogue: Catalogue): InstanceTypeChoice {
  const judged = judge(demand, catalogue);
  const ranked = rankJudged(judged);
  const families = Map.groupBy(judged, ({ spec }) => spec.family);
  for (const spec of ranked) families.delete(spec.family);
  const { needs } = demand;
  return {
    ranked,
    rejected: [...families]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([family, members]) => rejectionOf(catalogue, needs, family, members)),
    rejectedTypes: judged
      .filter(({ lacks }) => lacks.length > 0)
      .map(({ spec, lacks }) => ({ type: spec.type, lacks }))
      .toSorted((a, b) => (a.type < b.type ? -1 : 1)),
    unchecked:
      needs.numaNodes === undefined
        ? []
        : [
            `numaNodes ${needs.numaNodes}: EC2 does not publish NUMA nodes; the agent counts them on the host`,
          ],
  };
}
