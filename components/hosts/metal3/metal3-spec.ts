import * as z from "zod";

/**
 * What Metal3 has to be told of racked machines, by its own names (API metal3.io/v1alpha1) where it has one.
 *
 * @see https://book.metal3.io/bmo/introduction
 */

/** Drivers that talk Redfish or IPMI; the scheme may name the protocol below it, as in redfish+https. */
const BMC_ADDRESS =
  /^(ipmi|libvirt|(redfish|redfish-virtualmedia|redfish-uefihttp|ilo5-redfish|ilo5-virtualmedia|idrac-redfish|idrac-virtualmedia)(\+https?)?):\/\/(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?(\/[^\s@]*)?$/;

/** Drivers without a way to set up RAID or secure boot. */
const PLAIN_DRIVERS = /^(ipmi|libvirt):/;

const gibibytes = z.int().min(1).max(1_000_000);
const text = z.string().min(1).max(128);

/** Which disk; every given field has to match. */
export const rootDeviceHintsSchema = z
  .strictObject({
    deviceName: z
      .string()
      .regex(/^\/dev\/(disk\/by-path\/)?[^/\s]+$/, "a path in /dev or /dev/disk/by-path")
      .optional(),
    hctl: z
      .string()
      .regex(/^\d+:\d+:\d+:\d+$/, "a SCSI address as in 0:0:0:0")
      .optional(),
    model: text.optional(),
    vendor: text.optional(),
    serialNumber: text.optional(),
    minSizeGigabytes: z.int().min(1).max(1_000_000).optional(),
    wwn: text.optional(),
    wwnWithExtension: text.optional(),
    wwnVendorExtension: text.optional(),
    rotational: z.boolean().optional(),
  })
  .refine((hints) => Object.keys(hints).length > 0, "names no property of a disk");

const hardwareVolumeSchema = z
  .strictObject({
    level: z.enum(["0", "1", "2", "5", "6", "1+0", "5+0", "6+0"]),
    name: z.string().min(1).max(64).optional(),
    sizeGibibytes: gibibytes.optional(),
    rotational: z.boolean().optional(),
    numberOfPhysicalDisks: z.int().min(1).max(256).optional(),
    controller: text.optional(),
    physicalDisks: z.array(text).min(1).max(256).optional(),
  })
  .superRefine((volume, context) => {
    const fault = (path: string, message: string): void => {
      context.addIssue({ code: "custom", path: [path], message });
    };
    const { numberOfPhysicalDisks: count, physicalDisks: disks } = volume;
    if (disks !== undefined && volume.controller === undefined)
      fault("controller", "missing, and physicalDisks are names that a controller gives");
    if (count !== undefined && disks !== undefined && count !== disks.length)
      fault("numberOfPhysicalDisks", `${count}, and physicalDisks names ${disks.length}`);
  });

const softwareVolumeSchema = z.strictObject({
  level: z.enum(["0", "1", "1+0"]),
  sizeGibibytes: gibibytes.optional(),
  physicalDisks: z.array(rootDeviceHintsSchema).min(2).max(256).optional(),
  rootVolume: z.boolean().optional().describe("The image goes onto this volume, which has to be a mirror"),
});

/** Volumes that are made before the image is written; what is on the disks is lost. */
const raidSchema = z.union([
  z.strictObject({ hardwareRAIDVolumes: z.array(hardwareVolumeSchema).min(1).max(64) }),
  z.strictObject({ softwareRAIDVolumes: z.array(softwareVolumeSchema).min(1).max(2) }),
]);

/** The system that is written to disk, checked against its digest by the machine that writes it. */
const imageSchema = z.strictObject({
  url: z.httpUrl("an http or https address"),
  checksum: z
    .string()
    .regex(/^([0-9a-f]{64}|[0-9a-f]{128})$/, "a sha256 or sha512 digest, 64 or 128 hexadecimal digits"),
  format: z.enum(["raw", "qcow2"]).default("qcow2"),
});

const machineSchema = z.strictObject({
  bmc: z.strictObject({
    address: z
      .string()
      .regex(
        BMC_ADDRESS,
        "driver and address without credentials, as in redfish-virtualmedia://10.0.9.1/redfish/v1/Systems/1",
      ),
    disableCertificateVerification: z
      .boolean()
      .default(false)
      .describe("Whoever stands between can then read the credentials"),
  }),
  bootMACAddress: z
    .string()
    .regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, "a MAC address as in 02:00:00:00:00:01")
    .describe("Of the NIC that boots, not of the BMC"),
  rootDeviceHints: rootDeviceHintsSchema.optional().describe("Instead of the pool's"),
});

/** What a pool of racked machines has beside that which every pool has. */
export const metal3PoolShape = {
  image: imageSchema,
  artifactsUrl: z
    .httpUrl("an https address")
    .refine(
      (url) => url.startsWith("https://") && !url.endsWith("/"),
      "an https address without / at the end",
    )
    .describe("Where you publish the agent's and the service's archive; hosts fetch ADDRESS/SHA256"),
  bootMode: z.enum(["UEFI", "UEFISecureBoot", "legacy"]).default("UEFI"),
  automatedCleaningMode: z
    .enum(["metadata", "disabled"])
    .default("metadata")
    .describe("Whether partition tables are wiped when a machine is given up"),
  rootDeviceHints: rootDeviceHintsSchema.optional(),
  raid: raidSchema.optional(),
  firmwareSettings: z
    .record(
      z.string().regex(/^[A-Za-z][A-Za-z0-9._-]{0,127}$/, "a name of the machine's own firmware settings"),
      z.union([z.string().min(1).max(256), z.int()]),
    )
    .default({})
    .describe("By the vendor's names, as the machine's HostFirmwareSettings lists them"),
  dataImageUrl: z
    .httpUrl("an http or https address")
    .optional()
    .describe("An ISO that stays attached as virtual media beside the system"),
} as const;

export const metal3MachinesSchema = z
  .array(
    machineSchema.extend({
      name: z
        .string()
        .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "a DNS label")
        .refine((name) => !z.uuid().safeParse(name).success, "a UUID, which Metal3 refuses as a name"),
    }),
  )
  .min(1)
  .max(1000);

interface Metal3Settings extends z.output<z.ZodObject<typeof metal3PoolShape>> {
  readonly hosts: z.output<typeof metal3MachinesSchema>;
}

export type Metal3Machine = Metal3Settings["hosts"][number];

/** A fault as zod has it, with the path from the pool on. */
type Issue = Pick<z.core.$ZodIssueCustom, "path" | "message">;

/** What stands between a pool's own settings. */
export function metal3Faults(pool: Metal3Settings): readonly Issue[] {
  const volumes =
    pool.raid !== undefined && "softwareRAIDVolumes" in pool.raid ? pool.raid.softwareRAIDVolumes : [];
  const roots = volumes.flatMap((volume, index) => (volume.rootVolume === true ? [{ volume, index }] : []));
  return [
    ...twice(pool.hosts, "name"),
    ...twice(pool.hosts, "bootMACAddress"),
    ...roots.flatMap(({ volume, index }) => rootVolumeFaults(volume.level, roots.length, index)),
    ...pool.hosts.flatMap((host, index) => machineFaults(pool, host, index, roots.length > 0)),
  ];
}

function twice(hosts: Metal3Settings["hosts"], key: "name" | "bootMACAddress"): Issue[] {
  return hosts.flatMap((host, index) => {
    const first = hosts.findIndex((other) => other[key] === host[key]);
    return first === index
      ? []
      : [{ path: ["hosts", index, key], message: `is that of hosts[${first}] already` }];
  });
}

function rootVolumeFaults(level: string, rootCount: number, index: number): Issue[] {
  const path = ["raid", "softwareRAIDVolumes", index];
  return [
    ...(level === "1"
      ? []
      : [{ path: [...path, "level"], message: `"${level}": the root volume has to be a mirror, "1"` }]),
    ...(rootCount === 1 ? [] : [{ path: [...path, "rootVolume"], message: "is set for another volume too" }]),
  ];
}

function machineFaults(
  pool: Metal3Settings,
  host: Metal3Machine,
  index: number,
  hasRootVolume: boolean,
): Issue[] {
  const path = ["hosts", index];
  const isPlain = PLAIN_DRIVERS.test(host.bmc.address);
  const faults: Issue[] = [];
  if (hasRootVolume && (host.rootDeviceHints ?? pool.rootDeviceHints) !== undefined)
    faults.push({ path, message: "rootDeviceHints cannot go with a RAID volume that is the root volume" });
  if (isPlain && pool.raid !== undefined && "hardwareRAIDVolumes" in pool.raid)
    faults.push({
      path: [...path, "bmc", "address"],
      message: "the driver cannot set up hardware RAID: use redfish",
    });
  if (isPlain && pool.bootMode === "UEFISecureBoot")
    faults.push({
      path: [...path, "bmc", "address"],
      message: "the driver cannot switch secure boot: use redfish",
    });
  return faults;
}
