import * as z from "zod";
import type { CatalogueRow } from "./catalogue.ts";

/** What is taken of one type in an answer to DescribeInstanceTypes; keys are the API's. */
export const describedTypeSchema = z.object({
  VCpuInfo: z.object({
    DefaultVCpus: z.int(),
    DefaultCores: z.int(),
    DefaultThreadsPerCore: z.int(),
    ValidCores: z.array(z.int()).optional(),
    ValidThreadsPerCore: z.array(z.int()).optional(),
  }),
  MemoryInfo: z.object({ SizeInMiB: z.int() }),
  InstanceStorageInfo: z
    .object({
      Disks: z.array(z.object({ Count: z.int(), SizeInGB: z.int(), Type: z.enum(["ssd", "hdd"]) })).length(1),
      NvmeSupport: z.enum(["unsupported", "supported", "required"]),
    })
    .optional(),
  NetworkInfo: z.object({
    EnaSrdSupported: z.boolean(),
    NetworkCards: z
      .array(
        z.object({
          NetworkCardIndex: z.int(),
          MaximumNetworkInterfaces: z.int(),
          InterfaceTypes: z.array(z.string()),
        }),
      )
      .min(1),
  }),
  PlacementGroupInfo: z.object({ SupportedStrategies: z.array(z.string()) }),
  SupportedUsageClasses: z.array(z.enum(["on-demand", "spot", "capacity-block"])),
});

export type DescribedType = z.output<typeof describedTypeSchema>;

/** Cards that are alike in a row are one entry: how many, interfaces on each, and whether they carry EFA. */
function cardRuns({ NetworkInfo }: DescribedType): [number, number, boolean][] {
  const runs: [number, number, boolean][] = [];
  for (const card of NetworkInfo.NetworkCards.toSorted((a, b) => a.NetworkCardIndex - b.NetworkCardIndex)) {
    const carriesEfa = card.InterfaceTypes.includes("efa-only");
    const last = runs.at(-1);
    if (last?.[1] === card.MaximumNetworkInterfaces && last[2] === carriesEfa) last[0] += 1;
    else runs.push([1, card.MaximumNetworkInterfaces, carriesEfa]);
  }
  return runs;
}

/** The last columns of a row: what only the API says. All null where it has no such type. */
export function describedColumns(described: DescribedType | undefined) {
  if (described === undefined) return [null, null, null, null, null, null, null] as const;
  const { VCpuInfo: cpu, InstanceStorageInfo: storage } = described;
  const [disks] = storage?.Disks ?? [];
  return [
    [cpu.DefaultCores, cpu.DefaultThreadsPerCore] satisfies CatalogueRow[18],
    cpu.ValidCores === undefined || cpu.ValidThreadsPerCore === undefined
      ? null
      : ([cpu.ValidCores, cpu.ValidThreadsPerCore] satisfies CatalogueRow[19]),
    disks === undefined
      ? ([0, 0, "none"] satisfies CatalogueRow[20])
      : ([
          disks.Count,
          disks.SizeInGB,
          disks.Type === "hdd" ? "hdd" : storage?.NvmeSupport === "unsupported" ? "ssd" : "nvme",
        ] satisfies CatalogueRow[20]),
    cardRuns(described),
    described.NetworkInfo.EnaSrdSupported,
    described.PlacementGroupInfo.SupportedStrategies.includes("cluster"),
    described.SupportedUsageClasses.filter((usage) => usage !== "on-demand").toSorted(),
  ] as const;
}
