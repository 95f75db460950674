import * as z from "zod";
import { kernelListSchema } from "../sys/kernel-list.ts";

/** The version every contract carries. A reader refuses any other. */
export const API_VERSION = "bedplate/v1";

const scalarSchema = z.union([z.number(), z.string().min(1), z.boolean()]);

/** A person's word on one knob: another value, or leave it alone; always with the reason. */
export const overrideSchema = z.union([
  z.strictObject({ value: scalarSchema, because: z.string().min(1) }),
  z.strictObject({ leave: z.literal(true), because: z.string().min(1) }),
]);

/** Network interface selector: every given field must match. */
export const nicMatchSchema = z.strictObject({
  driver: z.string().min(1).optional(),
  name: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,15}$/, "an interface name: at most 15 letters, digits, . _ -")
    .optional(),
  pciAddress: z
    .string()
    .regex(/^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/, "a PCI address as in 0000:41:00.0")
    .optional(),
});

/** Systemd unit name of the service that the host is tuned for. */
export const serviceUnitSchema = z
  .string()
  .regex(/^[A-Za-z0-9:_.@-]{1,240}\.service$/, 'a systemd unit name that ends in ".service"');

/**
 * HostProfile: what a host is for. Goes into user data (components) and comes out in the agent, which computes
 * every knob from it and from the host's own facts. Everything has a default, so `{apiVersion, kind}` is a profile.
 */
export const hostProfileSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("HostProfile"),
    preset: z
      .enum(["latency", "throughput", "balanced", "gpu"])
      .default("balanced")
      .describe("Which side to take where one setting helps latency and another throughput"),
    workload: z
      .strictObject({
        connections: z
          .int()
          .min(1)
          .max(4_000_000)
          .default(4096)
          .describe("Peak concurrent client connections"),
        streams: z
          .int()
          .min(0)
          .max(4_000_000)
          .default(1024)
          .describe("Long-lived response streams among them"),
        connectionsPerSecond: z
          .int()
          .min(1)
          .max(1_000_000)
          .default(500)
          .describe("New client connections per second at the peak"),
        outboundConnections: z
          .int()
          .min(0)
          .max(1_000_000)
          .default(256)
          .describe("Concurrent connections from tools to other services"),
        rttMillis: z
          .number()
          .min(0.01)
          .max(2000)
          .default(40)
          .describe("Round-trip time to the clients, milliseconds"),
        usesMemoryMaps: z
          .boolean()
          .default(false)
          .describe("The service keeps many mappings (vector index, V8 isolates, JVM)"),
        idleTimeoutSeconds: z
          .int()
          .min(30)
          .max(7200)
          .default(300)
          .describe(
            "How long a connection may be silent before keep-alive asks whether its peer still lives, seconds",
          ),
      })
      .prefault({}),
    service: z
      .strictObject({
        unit: serviceUnitSchema.default("mcp-service.service"),
        runtime: z.enum(["systemd", "kubernetes"]).default("systemd"),
        numaNode: z
          .union([z.literal("auto"), z.literal("none"), z.int().min(0).max(1023)])
          .default("auto")
          .describe(
            'Node the service is bound to; "auto": the node of the NIC with the default route when the service fits there',
          ),
        listenPorts: z
          .array(z.int().min(1).max(65_535))
          .max(64)
          .default([])
          .describe("Ports the service listens on; no outbound connection may take one of them"),
        memoryBytes: z.int().min(1).optional().describe("Working set of the service, bytes"),
      })
      .prefault({}),
    cpu: z
      .strictObject({
        reserved: kernelListSchema
          .optional()
          .describe('CPUs kept for the kernel and interrupts, kernel list form ("0,32")'),
        isolation: z
          .enum(["none", "partition", "boot"])
          .default("none")
          .describe(
            'How far the service\'s CPUs are kept free of others; "partition": a cpuset partition at run time; "boot": isolcpus, nohz_full and rcu_nocbs, which need a reboot',
          ),
        wakeUpLatencyMicros: z
          .int()
          .min(0)
          .max(10_000)
          .optional()
          .describe(
            "Longest time an idle CPU may take to wake up (C-states), microseconds; absent: by preset",
          ),
        smt: z
          .enum(["leave", "off"])
          .default("leave")
          .describe('Hardware threads of a core; "off" halves the logical CPUs'),
      })
      .prefault({}),
    swap: z
      .enum(["leave", "zram"])
      .default("leave")
      .describe('"zram": compressed swap in memory, where the host has no swap'),
    hugepages: z
      .strictObject({
        sizeKiB: z.union([z.literal(2048), z.literal(1_048_576)]).default(2048),
        perNode: z
          .int()
          .min(0)
          .max(1_000_000)
          .default(0)
          .describe("Pages on every NUMA node that has memory"),
      })
      .prefault({}),
    nvme: z
      .strictObject({
        layout: z.enum(["none", "raid0"]).default("none"),
        mountPath: z
          .string()
          .regex(
            /^(\/[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/,
            'an absolute path without "..", spaces or empty parts',
          )
          .optional(),
        filesystem: z.enum(["xfs", "ext4"]).default("xfs"),
        models: z
          .array(z.string().min(1))
          .max(16)
          .optional()
          .describe(
            "Models of the disks that may be made into the layout; absent: a cloud's instance stores",
          ),
      })
      .prefault({}),
    nics: z
      .array(
        z.strictObject({
          match: nicMatchSchema,
          mtuBytes: z.int().min(1280).max(9216).optional(),
          busyPollMicros: z.int().min(0).max(200).optional(),
          roce: z
            .strictObject({
              trust: z.enum(["dscp", "pcp"]).default("dscp"),
              pfcPriorities: z.array(z.int().min(0).max(7)).max(8).default([3]),
            })
            .optional()
            .describe("Lossless Ethernet for RDMA; the switch has to be set the same way"),
        }),
      )
      .max(64)
      .default([]),
    sriov: z
      .array(
        z.strictObject({
          match: nicMatchSchema,
          virtualFunctions: z.int().min(0).max(256),
          mtuBytes: z.int().min(1280).max(9216).optional(),
          macAddresses: z
            .array(
              z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, "a MAC address as in 02:00:00:00:00:01"),
            )
            .max(256)
            .default([])
            .describe("Of virtual function 0, 1, ..."),
          vlan: z.int().min(0).max(4094).optional(),
          trust: z.boolean().optional(),
          driver: z.enum(["network", "vfio-pci"]).default("network"),
        }),
      )
      .max(64)
      .default([]),
    gpu: z
      .strictObject({
        persistenceMode: z.boolean().default(true),
        computeMode: z.enum(["default", "exclusive-process", "prohibited"]).optional(),
        lockedClocksMhz: z
          .strictObject({ minimum: z.int().min(100).max(5000), maximum: z.int().min(100).max(5000) })
          .refine(({ minimum, maximum }) => minimum <= maximum, "minimum is above maximum")
          .optional(),
        powerLimitWatts: z.int().min(10).max(2000).optional(),
        mig: z
          .array(z.string().regex(/^[0-9]+[cg0-9.+a-z]*$/, 'a MIG profile as in "1g.10gb"'))
          .max(8)
          .optional()
          .describe("GPU instances to make on every GPU that can; an empty list turns MIG off"),
        ecc: z.boolean().optional(),
      })
      .prefault({}),
    kubernetes: z
      .strictObject({
        kubeletHandOver: z
          .enum(["none", "nodeadm", "kubelet-drop-in"])
          .default("none")
          .describe(
            "Where measured reserved CPUs, topology and memory-manager settings are written for the kubelet",
          ),
        topologyManagerPolicy: z
          .enum(["none", "best-effort", "restricted", "single-numa-node"])
          .default("best-effort"),
      })
      .prefault({}),
    drift: z
      .strictObject({
        policy: z.enum(["report", "heal"]).default("report"),
        intervalMinutes: z.int().min(1).max(1440).default(15),
      })
      .prefault({}),
    reboot: z.enum(["never", "once-when-needed"]).default("never"),
    confirm: z
      .strictObject({
        timeoutSeconds: z.int().min(10).max(3600).default(120),
        gateway: z.boolean().default(true).describe("The default gateway has to answer"),
        probes: z
          .array(
            z
              .string()
              .regex(/^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$/, 'host:port, as in "10.0.0.2:443"'),
          )
          .max(16)
          .default([])
          .describe("TCP ports that have to accept a connection"),
      })
      .prefault({})
      .describe("When a change that can cut the host off counts as good; otherwise it is taken back"),
    allowLowering: z
      .boolean()
      .default(false)
      .describe("Let a knob that only raises lower a larger value that the host has"),
    consent: z.array(z.enum(["irreversible", "data-loss"])).default([]),
    overrides: z
      .record(z.string().min(1), overrideSchema)
      .default({})
      .describe(
        'By knob ("queue/scheduler") or by one of its targets ("queue/scheduler[nvme0n1]"), which wins',
      ),
  })
  .describe("What a host is for; the agent computes its tuning from it");

export type HostProfile = z.output<typeof hostProfileSchema>;
export type HostProfileInput = z.input<typeof hostProfileSchema>;
export type NicMatch = z.output<typeof nicMatchSchema>;
