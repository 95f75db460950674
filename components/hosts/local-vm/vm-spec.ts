import { isDeepStrictEqual } from "node:util";
import * as z from "zod";

/** The address at which a guest finds its artifacts. Only inside the guest; nothing listens on this machine. */
const ARTIFACT_ADDRESS = "10.0.2.100";

/** From which URL a guest fetches an artifact of its spec: plain HTTP, so the guest checks the digest. */
export function artifactUrl(sha256: string): string {
  return `http://${ARTIFACT_ADDRESS}/${sha256}`;
}

export { ARTIFACT_ADDRESS };

const guestPath = z.string().regex(/^\/[^\s'"]+$/, "an absolute path in the guest");

export const nvmeDiskSchema = z.strictObject({
  sizeMiB: z.int().min(64).max(1_048_576).default(1024),
  numaNode: z.int().min(0).max(7).default(0),
  logicalBlockBytes: z.union([z.literal(512), z.literal(4096)]).default(512),
  controllers: z
    .int()
    .min(1)
    .max(2)
    .default(1)
    .describe("Two controllers on one medium, as a dual-port disk has: multipath in the guest"),
});

/** What a VM's image is made of beyond what every image has. Images are kept by the digest of all of it. */
export const imageOptionsSchema = z.strictObject({
  suite: z
    .enum(["bookworm", "trixie"])
    .default("bookworm")
    .describe("Debian release, and with it the kernel"),
  extraPackages: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/, "a Debian package's name"))
    .max(64)
    .default([])
    .describe("Debian packages beside those of every image: mdadm, irqbalance, tuned"),
  extraModuleFolders: z
    .array(
      z.string().regex(/^(?!.*\.\.)[a-z][\w./-]*$/, "a folder or file below /lib/modules/<release>/kernel"),
    )
    .max(64)
    .default([])
    .describe("Kernel modules beside those of every image, as drivers/net/wireguard"),
  bootLoader: z
    .enum(["none", "grub"])
    .default("none")
    .describe(
      "none: QEMU starts the kernel, which is quick; grub: a real GRUB does, with its arguments in the guest's own files",
    ),
});

export type ImageOptions = z.output<typeof imageOptionsSchema>;

/** What a local VM is. Everything has a default but its name and what it boots with. */
export const localVmSpecSchema = z
  .strictObject({
    name: z
      .string()
      .regex(
        /^[a-z][a-z0-9-]{0,38}[a-z0-9]$/,
        "2 to 40 lower-case letters, digits and -, starting with a letter",
      ),
    cpus: z.int().min(1).max(64).default(4),
    memoryMiB: z.int().min(512).max(1_048_576).default(2048),
    numaNodes: z.int().min(1).max(8).default(2),
    nvmeDisks: z
      .array(nvmeDiskSchema)
      .max(8)
      .default([
        { sizeMiB: 1024, numaNode: 0, logicalBlockBytes: 512, controllers: 1 },
        { sizeMiB: 1024, numaNode: 0, logicalBlockBytes: 512, controllers: 1 },
      ]),
    image: imageOptionsSchema.prefault({}),
    kernelArguments: z
      .array(z.string().regex(/^[^\s"']+$/, "one kernel argument, without blanks and quotes"))
      .max(64)
      .default([])
      .describe("Added to the kernel's command line after the VM's own, so that they win"),
    sriovNic: z.boolean().default(true).describe("The main NIC is an SR-IOV igb; otherwise virtio-net"),
    userData: z
      .string()
      .min(1)
      .refine((text) => Buffer.byteLength(text) <= 16_384, "more than 16384 bytes, the most that AWS takes")
      .describe("cloud-init user data, the same text as on AWS"),
    artifacts: z
      .array(
        z.strictObject({
          path: z.string().min(1).describe("File on this machine"),
          sha256: z.string().regex(/^[0-9a-f]{64}$/, "64 lower-case hex digits"),
        }),
      )
      .max(32)
      .default([])
      .describe("Files that the guest may fetch from artifactUrl(sha256)"),
    servicePort: z.int().min(1).max(65_535).default(8080).describe("The service's TCP port in the guest"),
    readiness: z
      .strictObject({
        agentReportPath: guestPath.optional().describe("HostReport that the agent writes at boot"),
        serviceHealthPath: z
          .string()
          .regex(/^\/[^\s]*$/, "an HTTP path as in /healthz")
          .optional(),
      })
      .prefault({})
      .describe("What bringUp waits for beyond cloud-init"),
  })
  .superRefine((spec, context) => {
    if (spec.cpus % spec.numaNodes !== 0) {
      context.addIssue({
        code: "custom",
        path: ["cpus"],
        message: `${spec.cpus} is not a multiple of numaNodes ${spec.numaNodes}`,
      });
    }
    if (spec.memoryMiB % spec.numaNodes !== 0) {
      context.addIssue({
        code: "custom",
        path: ["memoryMiB"],
        message: `${spec.memoryMiB} is not a multiple of numaNodes ${spec.numaNodes}`,
      });
    }
    if (spec.image.bootLoader === "grub" && spec.kernelArguments.length > 0) {
      context.addIssue({
        code: "custom",
        path: ["kernelArguments"],
        message: "with image.bootLoader grub the guest's own /etc/default/grub has them",
      });
    }
    for (const [index, disk] of spec.nvmeDisks.entries()) {
      if (disk.numaNode >= spec.numaNodes) {
        context.addIssue({
          code: "custom",
          path: ["nvmeDisks", index, "numaNode"],
          message: `${disk.numaNode} is beyond the last node ${spec.numaNodes - 1}`,
        });
      }
    }
  })
  .describe("A QEMU machine on this machine");

export type LocalVmSpec = z.output<typeof localVmSpecSchema>;
export type LocalVmSpecInput = z.input<typeof localVmSpecSchema>;

/** Properties that a VM takes up by a power cycle, keeping its disks. Any other change needs a new VM. */
const CHANGED_BY_RESTART: ReadonlySet<string> = new Set<keyof LocalVmSpec>([
  "cpus",
  "memoryMiB",
  "numaNodes",
  "kernelArguments",
  "servicePort",
  "readiness",
]);

/**
 * The properties whose change needs a new VM, losing its disks. Without any `bringUp` restarts it with the same disks.
 * Where an artifact lies on this machine is none: its digest says what it is.
 */
export function replacedFor(before: LocalVmSpec, after: LocalVmSpec): readonly (keyof LocalVmSpec)[] {
  const withDigests = ({ artifacts, ...spec }: LocalVmSpec) => ({
    ...spec,
    artifacts: artifacts.map(({ sha256 }) => sha256),
  });
  const [was, is] = [withDigests(before), withDigests(after)];
  return (Object.keys(localVmSpecSchema.shape) as (keyof LocalVmSpec)[]).filter(
    (key) => !CHANGED_BY_RESTART.has(key) && !isDeepStrictEqual(was[key], is[key]),
  );
}
