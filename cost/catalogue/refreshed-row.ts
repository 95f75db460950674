import * as z from "zod";
import type { CatalogueRow } from "./catalogue.ts";
import { describedColumns, describedTypeSchema } from "./described-type.ts";

const accelerators = z.array(z.object({ Name: z.string(), Count: z.int().min(1) })).min(1);

/** What a row of the catalogue takes of one type in an answer to DescribeInstanceTypes; keys are the API's. */
export const refreshedTypeSchema = z.object({
  ...describedTypeSchema.shape,
  InstanceType: z.string(),
  BareMetal: z.boolean(),
  Hypervisor: z.enum(["nitro", "xen"]).optional(),
  ProcessorInfo: z.object({
    Manufacturer: z.string(),
    SupportedArchitectures: z.array(z.string()).min(1),
    SustainedClockSpeedInGhz: z.number().min(0).optional(),
  }),
  EbsInfo: z.object({
    EbsOptimizedInfo: z.object({ MaximumBandwidthInMbps: z.int() }).optional(),
  }),
  InstanceStorageInfo: describedTypeSchema.shape.InstanceStorageInfo.unwrap()
    .extend({ TotalSizeInGB: z.int() })
    .optional(),
  NetworkInfo: describedTypeSchema.shape.NetworkInfo.extend({
    MaximumNetworkInterfaces: z.int(),
    EncryptionInTransitSupported: z.boolean(),
    EfaInfo: z.object({ MaximumEfaInterfaces: z.int() }).optional(),
    NetworkCards: z
      .array(
        describedTypeSchema.shape.NetworkInfo.shape.NetworkCards.element.extend({
          BaselineBandwidthInGbps: z.number().min(0).optional(),
        }),
      )
      .min(1),
  }),
  GpuInfo: z
    .object({
      Gpus: z
        .array(
          z.object({
            Name: z.string(),
            Manufacturer: z.string(),
            // Absent where the type has a fraction of one.
            Count: z.int().min(0).default(0),
            MemoryInfo: z.object({ SizeInMiB: z.int() }),
          }),
        )
        .length(1),
    })
    .optional(),
  InferenceAcceleratorInfo: z.object({ Accelerators: accelerators }).optional(),
  NeuronInfo: z.object({ NeuronDevices: accelerators }).optional(),
});

export type RefreshedType = z.output<typeof refreshedTypeSchema>;

function baselineMbitPerSec({ NetworkCards }: RefreshedType["NetworkInfo"]): number | null {
  const cards = NetworkCards.map((card) => card.BaselineBandwidthInGbps);
  return cards.includes(undefined)
    ? null
    : Math.round(cards.reduce<number>((sum, gbits) => sum + (gbits ?? 0), 0) * 1000);
}

/** As the catalogue spells a model: `rtx-pro-4500` for "RTX PRO 4500". */
function modelOf(name: string): string {
  return name.toLowerCase().replaceAll(/\s+/g, "-");
}

function gpuOf({ GpuInfo }: RefreshedType): CatalogueRow[15] {
  const [gpu] = GpuInfo?.Gpus ?? [];
  return gpu === undefined
    ? null
    : [modelOf(gpu.Name), gpu.Manufacturer.toLowerCase(), gpu.Count, gpu.MemoryInfo.SizeInMiB];
}

function acceleratorOf({ NeuronInfo, InferenceAcceleratorInfo }: RefreshedType): CatalogueRow[16] {
  const [accelerator] = NeuronInfo?.NeuronDevices ?? InferenceAcceleratorInfo?.Accelerators ?? [];
  return accelerator === undefined ? null : [modelOf(accelerator.Name), accelerator.Count];
}

/** The row of one type; undefined for one that Linux does not run on (a Mac). What the API leaves out is null. */
export function rowOfType(type: RefreshedType, onDemandPerHour: string | null): CatalogueRow | undefined {
  const { ProcessorInfo: processor, NetworkInfo: network, InstanceStorageInfo: storage } = type;
  const architecture = (["x86_64", "arm64"] as const).find((name) =>
    processor.SupportedArchitectures.includes(name),
  );
  const manufacturer = (["intel", "amd", "aws"] as const).find(
    (name) => name === processor.Manufacturer.toLowerCase(),
  );
  if (architecture === undefined || manufacturer === undefined) return undefined;
  // A hard disk behind NVMe (d3) is none of what a pool means that asks for NVMe.
  const isNvme = storage?.Disks[0]?.Type === "ssd" && storage.NvmeSupport !== "unsupported";
  return [
    type.InstanceType,
    architecture,
    type.VCpuInfo.DefaultVCpus,
    type.MemoryInfo.SizeInMiB,
    type.BareMetal,
    type.Hypervisor ?? null,
    manufacturer,
    processor.SustainedClockSpeedInGhz === undefined
      ? null
      : Math.round(processor.SustainedClockSpeedInGhz * 1000),
    baselineMbitPerSec(network),
    type.EbsInfo.EbsOptimizedInfo?.MaximumBandwidthInMbps ?? null,
    isNvme ? storage.TotalSizeInGB : 0,
    network.EfaInfo?.MaximumEfaInterfaces ?? 0,
    network.NetworkCards.length,
    network.MaximumNetworkInterfaces,
    network.EncryptionInTransitSupported,
    gpuOf(type),
    acceleratorOf(type),
    onDemandPerHour,
    ...describedColumns(type),
  ];
}
