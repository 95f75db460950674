import { isDeepStrictEqual } from "node:util";
import type { Catalogue, InstanceType } from "../../../cost/catalogue/catalogue.ts";
import {
  type CpuOptions,
  type InstanceTypeChoice,
  chooseInstanceTypes,
  cpuOptionsOf,
  nearestRejections,
} from "../../../cost/catalogue/choose-instance-type.ts";
import type { Fault } from "../../../host-tuning/errors.ts";
import type { AwsPool } from "../../environment/environment-spec.ts";
import { type InterfacePlace, placeInterfaces } from "./network-interfaces.ts";
import { poolFaults } from "./pool-faults.ts";

/** Families named in a message when nothing fits: those that lack least. */
const NAMED_REJECTIONS = 5;

/** More types make interruption rarer; beyond a handful the price of the last one is what is paid. Our choice. */
const SPOT_TYPE_COUNT = 6;

/** What hosts of a pool are launched as, and where. */
export interface HostTypes {
  /** What hosts of the pool run on: the first; of a spot pool also those that launch from the same template. */
  readonly instanceTypes: readonly [InstanceType, ...InstanceType[]];
  /** Undefined where the type boots as needed. */
  readonly cpuOptions?: CpuOptions;
  readonly interfaces: readonly InterfacePlace[];
  /** Zones that the hosts stand in; undefined where no account was asked. */
  readonly zones?: readonly string[];
}

/** The same with the reasons: every type that would do, and what every other lacks. */
export interface PoolSelection extends HostTypes {
  readonly choice: InstanceTypeChoice;
}

/** How many of the ranked types a pool uses at most. */
export function usedTypeCount(pool: AwsPool): number {
  return pool.spot ? SPOT_TYPE_COUNT : 1;
}

/**
 * Instance types for a pool, or why there are none. Knows the rules between a pool's own settings that no single need
 * shows.
 */
export function selectInstanceTypes(
  pool: AwsPool,
  path: string,
  catalogue: Catalogue,
): PoolSelection | { readonly faults: readonly Fault[] } {
  const faults = [...poolFaults(pool, path), ...zoneFaults(pool, path, catalogue)];
  const choice = chooseInstanceTypes(pool, catalogue);
  const [first, ...others] = choice.ranked.slice(0, usedTypeCount(pool));
  if (first === undefined)
    faults.push({ path: `${path}.needs`, message: noTypeMessage(pool, choice, catalogue) });
  if (first === undefined || faults.length > 0) return { faults };
  const template = templateParts(first, pool);
  const zones = zonesOf(first, pool, catalogue);
  return {
    instanceTypes: [
      first,
      ...others.filter((spec) => isDeepStrictEqual(templateParts(spec, pool), template)),
    ],
    choice,
    ...template,
    ...(zones === undefined ? {} : { zones }),
  };
}

/** What of a launch template follows from the type: spot types that differ in it cannot share one. */
function templateParts(spec: InstanceType, pool: AwsPool): Pick<HostTypes, "cpuOptions" | "interfaces"> {
  const cpuOptions = cpuOptionsOf(spec, pool.needs);
  return {
    interfaces: placeInterfaces(spec, pool.needs.efaInterfaces),
    ...(cpuOptions === undefined ? {} : { cpuOptions }),
  };
}

function zonesOf(spec: InstanceType, pool: AwsPool, catalogue: Catalogue): readonly string[] | undefined {
  if (catalogue.zones === undefined) return undefined;
  const zones = pool.zones ?? spec.zones ?? catalogue.zones;
  return pool.placement === "cluster" ? zones.slice(0, 1) : zones;
}

function zoneFaults(pool: AwsPool, path: string, { region, zones }: Catalogue): Fault[] {
  return (pool.zones ?? []).flatMap((zone, index) => {
    const at = `${path}.zones[${index}]`;
    if (!zone.startsWith(region)) return [{ path: at, message: `"${zone}" is no zone of ${region}` }];
    if (zones === undefined || zones.includes(zone)) return [];
    return [{ path: at, message: `there is no subnet in "${zone}"; there are in ${zones.join(", ")}` }];
  });
}

function noTypeMessage(pool: AwsPool, choice: InstanceTypeChoice, catalogue: Catalogue): string {
  const named = nearestRejections(choice, pool.needs, catalogue, NAMED_REJECTIONS).map(
    ({ because }) => because,
  );
  return `no instance type satisfies them; of ${choice.rejected.length} families the nearest: ${named.join(" | ")}`;
}

/** One line for people: what was chosen, at what price, where, and how much was rejected. */
export function describeSelection(selection: PoolSelection): string {
  const [first, ...others] = selection.instanceTypes;
  const price =
    first.price.kind === "priced"
      ? `${first.price.amount} ${first.price.currency} per hour on demand in ${first.price.region} as of ${first.price.asOf}`
      : `unpriced: ${first.price.because}`;
  const spot = others.length === 0 ? "" : `, or on spot ${others.map((spec) => spec.type).join(", ")}`;
  const zones = selection.zones === undefined ? "" : ` in ${selection.zones.join(", ")}`;
  return `${first.type} (${price})${spot}${zones}; ${selection.choice.ranked.length} types fit, ${selection.choice.rejected.length} families do not`;
}
