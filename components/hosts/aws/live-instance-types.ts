import { isDeepStrictEqual } from "node:util";
import type * as aws from "@pulumi/aws";
import type { Catalogue, InstanceType, LocalDisks, NetworkCard } from "../../../cost/catalogue/catalogue.ts";
import { type PoolDemand, rankInstanceTypes } from "../../../cost/catalogue/choose-instance-type.ts";
import type { AwsAccount } from "./aws-account.ts";

/** What EC2 says of one type: the provider's function `aws:ec2/getInstanceType`. */
export type LiveInstanceType = Pick<
  aws.ec2.GetInstanceTypeResult,
  | "bareMetal"
  | "defaultVcpus"
  | "defaultCores"
  | "defaultThreadsPerCore"
  | "validCores"
  | "validThreadsPerCores"
  | "memorySize"
  | "instanceDisks"
  | "networkCards"
  | "efaMaximumInterfaces"
  | "enaSrdSupported"
  | "supportedUsagesClasses"
  | "supportedPlacementStrategies"
>;

/** The catalogue as the account sees it: where each type is offered, among the zones that its subnets are in. */
export function offeredIn(catalogue: Catalogue, account: AwsAccount): Catalogue {
  return {
    ...catalogue,
    zones: [...new Set(account.subnets.map((subnet) => subnet.zone))].toSorted(),
    instanceTypes: catalogue.instanceTypes.map((spec) => ({
      ...spec,
      zones: account.zonesOfType.get(spec.type) ?? [],
    })),
  };
}

export interface ConfirmedCatalogue {
  readonly catalogue: Catalogue;
  /** Where EC2 says something else than the committed catalogue, which is older: for people. */
  readonly differences: readonly string[];
}

/**
 * The catalogue with EC2's own word on the types that lead for `demand`. Types are ranked, the first `leaders` are asked
 * about, and ranked again, until every leader was asked about: so that what is taken was confirmed, with a few calls and
 * not one for each of 1,300 types. Prices stay those of the catalogue, and a choice moves with a commit and not by itself.
 */
export async function confirmLeaders(
  demand: PoolDemand,
  catalogue: Catalogue,
  leaders: number,
  read: (type: string) => Promise<LiveInstanceType>,
): Promise<ConfirmedCatalogue> {
  const confirmed = new Map<string, InstanceType>();
  const differences: string[] = [];
  let current = catalogue;
  for (;;) {
    const unasked = rankInstanceTypes(demand, current)
      .slice(0, leaders)
      .filter((spec) => !confirmed.has(spec.type));
    if (unasked.length === 0) return { catalogue: current, differences };
    for (const [index, live] of (await Promise.all(unasked.map((spec) => read(spec.type)))).entries()) {
      const spec = unasked[index];
      if (spec === undefined) continue;
      const fresh = withLiveFacts(spec, live);
      differences.push(...differencesOf(spec, fresh));
      confirmed.set(spec.type, isDeepStrictEqual(fresh, spec) ? spec : fresh);
    }
    // As the catalogue has them, so nothing is ranked otherwise than it was.
    if (unasked.every((spec) => confirmed.get(spec.type) === spec))
      return { catalogue: current, differences };
    current = {
      ...current,
      instanceTypes: current.instanceTypes.map((spec) => confirmed.get(spec.type) ?? spec),
    };
  }
}

function withLiveFacts(spec: InstanceType, live: LiveInstanceType): InstanceType {
  const disks = disksOf(live, spec.disks);
  const { cpu: _, ...rest } = spec;
  return {
    ...rest,
    vcpus: live.defaultVcpus,
    memoryMiB: live.memorySize,
    bareMetal: live.bareMetal,
    nvmeGB: disks.kind === "nvme" ? disks.count * disks.sizeGB : 0,
    disks,
    efaInterfaces: live.efaMaximumInterfaces,
    networkCards: live.networkCards.length,
    cards: live.networkCards
      .toSorted((a, b) => a.index - b.index)
      .map((card): NetworkCard => ({
        maxInterfaces: card.maximumInterfaces,
        // The provider does not pass on which cards carry EFA.
        carriesEfa: spec.cards?.[card.index]?.carriesEfa ?? live.efaMaximumInterfaces > card.index,
      })),
    enaExpress: live.enaSrdSupported,
    clusterPlacement: live.supportedPlacementStrategies.includes("cluster"),
    usageClasses: (["spot", "capacity-block"] as const).filter((usage) =>
      live.supportedUsagesClasses.includes(usage),
    ),
    cpu: {
      cores: live.defaultCores,
      threadsPerCore: live.defaultThreadsPerCore,
      ...(live.bareMetal || live.validCores.length === 0
        ? {}
        : { settable: { cores: live.validCores, threadsPerCore: live.validThreadsPerCores } }),
    },
  };
}

/** The provider says flash or hard disk, and not whether flash is behind NVMe: that the catalogue knows. */
function disksOf({ instanceDisks }: LiveInstanceType, known: LocalDisks | undefined): LocalDisks {
  const [disks] = instanceDisks;
  if (disks === undefined) return { count: 0, sizeGB: 0, kind: "none" };
  const flash = known?.kind === "ssd" ? "ssd" : "nvme";
  return { count: disks.count, sizeGB: disks.size, kind: disks.type === "hdd" ? "hdd" : flash };
}

function differencesOf(known: InstanceType, live: InstanceType): string[] {
  const facts = [
    ["vCPUs", known.vcpus, live.vcpus],
    ["MiB of memory", known.memoryMiB, live.memoryMiB],
    ["GB of NVMe", known.nvmeGB, live.nvmeGB],
    ["EFA interfaces", known.efaInterfaces, live.efaInterfaces],
    ["network cards", known.networkCards, live.networkCards],
  ] as const;
  return facts.flatMap(([what, catalogue, now]) =>
    catalogue === now
      ? []
      : [`${known.type} has ${now} ${what}; the catalogue says ${catalogue ?? "nothing"}`],
  );
}
