import * as z from "zod";
import { parseKernelList } from "../sys/kernel-list.ts";

const mebibytes = z.string().regex(/^\d{1,9}Mi$/, 'memory as in "512Mi"');
const sysctlName = z.string().regex(/^net\.[a-z0-9_.]+$/, "a sysctl of the network, by its dots");

/**
 * The part of a KubeletConfiguration that the agent writes, by the kubelet's own names and forms.
 *
 * @see https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/
 */
const fieldsSchema = z.strictObject({
  reservedSystemCPUs: z
    .string()
    .refine((list) => (parseKernelList(list)?.length ?? 0) > 0, "at least one CPU"),
  cpuManagerPolicy: z.literal("static"),
  cpuManagerPolicyOptions: z.strictObject({ "full-pcpus-only": z.enum(["true", "false"]) }).optional(),
  topologyManagerPolicy: z.enum(["none", "best-effort", "restricted", "single-numa-node"]),
  memoryManagerPolicy: z.enum(["None", "Static"]),
  kubeReservedCgroup: z.literal("").optional(),
  systemReservedCgroup: z.literal("").optional(),
  kubeReserved: z.strictObject({ memory: mebibytes }),
  systemReserved: z.strictObject({ memory: mebibytes }),
  evictionHard: z.strictObject({
    "memory.available": mebibytes,
    "nodefs.available": z.string(),
    "nodefs.inodesFree": z.string(),
    "imagefs.available": z.string(),
  }),
  reservedMemory: z
    .array(z.strictObject({ numaNode: z.int().min(0), limits: z.strictObject({ memory: mebibytes }) }))
    .optional(),
  allowedUnsafeSysctls: z.array(sysctlName).optional(),
});

export const kubeletConfigSchema = fieldsSchema.superRefine((config, context) => {
  const fault = (path: string, message: string): void => {
    context.addIssue({ code: "custom", path: [path], message });
  };
  const nodes = config.reservedMemory?.map(({ numaNode }) => numaNode) ?? [];
  if (new Set(nodes).size !== nodes.length) fault("reservedMemory", "names a NUMA node twice");
  if (config.memoryManagerPolicy === "None") {
    if (nodes.length > 0) fault("reservedMemory", "needs memoryManagerPolicy Static");
    return;
  }
  // memory_manager.go, validateReservedMemory: unequal sums keep the kubelet from starting.
  const reserved =
    nodes.length === 0 ? 0 : sum(config.reservedMemory?.map(({ limits }) => limits.memory) ?? []);
  const allocatable = sum([
    config.kubeReserved.memory,
    config.systemReserved.memory,
    config.evictionHard["memory.available"],
  ]);
  if (reserved !== allocatable)
    fault(
      "reservedMemory",
      `adds up to ${reserved} MiB, and has to be the ${allocatable} MiB of kubeReserved, systemReserved and evictionHard together`,
    );
});

export type KubeletConfig = z.output<typeof kubeletConfigSchema>;

function sum(texts: readonly string[]): number {
  return texts.reduce((total, text) => total + Number.parseInt(text, 10), 0);
}
