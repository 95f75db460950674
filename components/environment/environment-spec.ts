import * as z from "zod";
import { API_VERSION, hostProfileSchema } from "../../host-tuning/profile/host-profile.ts";
import { clusterSchema, eksNodesSchema } from "../cluster/cluster-spec.ts";
import { metal3Faults, metal3MachinesSchema, metal3PoolShape } from "../hosts/metal3/metal3-spec.ts";
import { kubernetesServiceSchema } from "../service/kubernetes-service-spec.ts";
import { serviceAuthorizationSchema } from "../service/service-authorization.ts";
import { serviceSettingsSchema } from "../user-data/service-unit.ts";
import { clusterFaults } from "./cluster-faults.ts";
import { describeTarget, sshHostSchema, sshLoginSchema, sshTargetSchema } from "../hosts/ssh/ssh-target.ts";
import { scheduleSchema } from "./schedule.ts";

const dnsLabel = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,38}[a-z0-9]$/,
    "2 to 40 lower-case letters, digits and -, starting with a letter",
  );

/** Who pays. Becomes the tags and labels that the bill is split by. */
export const ownerSchema = z.strictObject({
  team: dnsLabel,
  costCenter: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,30}[A-Za-z0-9]$/, "2 to 32 letters, digits and -, no - at the ends"),
  service: dnsLabel,
});

/** What a pool of hosts must have. Needs, not instance names: the pool finds the type. */
export const hostNeedsSchema = z.strictObject({
  vcpus: z.int().min(1).max(1024),
  memoryGiB: z.number().min(0.5).max(32_768),
  architecture: z.enum(["x86_64", "arm64"]).default("x86_64"),
  coreCount: z
    .int()
    .min(1)
    .optional()
    .describe("Exactly so many cores, for software that is licensed by the core; virtual machines only"),
  threadsPerCore: z
    .literal([1, 2])
    .optional()
    .describe("1: no two vCPUs share a core; vcpus are counted after that. Cannot be set on bare metal"),
  nvmeGB: z.number().min(0).default(0).describe("Local instance-store NVMe, GB in total"),
  nvmeDisks: z.int().min(0).max(64).default(0).describe("Local NVMe disks at least: a stripe needs two"),
  networkGbitPerSec: z.number().min(0).default(0),
  efaInterfaces: z.int().min(0).default(0),
  enaExpress: z
    .boolean()
    .default(false)
    .describe("Single flows above 5 Gbit/s between hosts, by Scalable Reliable Datagram"),
  gpus: z.int().min(0).default(0),
  gpuModel: z.string().min(1).optional(),
  bareMetal: z.boolean().default(false),
  numaNodes: z.int().min(1).max(64).optional(),
});

const poolBase = {
  name: dnsLabel,
  count: z.int().min(1).max(1000),
  needs: hostNeedsSchema,
  profile: hostProfileSchema.omit({ apiVersion: true, kind: true }).prefault({}),
};

const capacityReservationId = z
  .string()
  .regex(/^cr-[0-9a-f]{8,17}$/, "a capacity reservation id as in cr-0123456789abcdef0");

/** How fast the root volume is. Limits of the two kinds: EBS user guide, "Amazon EBS volume types". */
export const rootVolumeSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("gp3"),
    iops: z.int().min(3000).max(80_000).default(3000),
    throughputMiBPerSec: z.int().min(125).max(2000).default(125),
  }),
  z.strictObject({ type: z.literal("io2"), iops: z.int().min(100).max(256_000) }),
]);

/** Which image hosts boot. Resolved once and then kept, so that nothing but a change of this moves an image. */
export const hostImageSchema = z.strictObject({
  amiId: z
    .string()
    .regex(/^ami-[0-9a-f]{8,17}$/, "an image id as in ami-0123456789abcdef0")
    .optional()
    .describe("An image of your own, built on Amazon Linux 2023"),
  asOf: z.iso
    .date()
    .optional()
    .describe("A later date takes the image that is newest at the next up, and keeps that one"),
});

/** Traffic that hosts may start, beside HTTPS. */
export const outboundRuleSchema = z.strictObject({
  cidr: z.cidrv4("an IPv4 range as in 10.0.0.0/16"),
  port: z.int().min(1).max(65_535),
  protocol: z.enum(["tcp", "udp"]).default("tcp"),
  because: z.string().min(3).max(200).describe("What is reached there: the rule's description"),
});

/** Hosts on AWS in an Auto Scaling group. */
export const awsPoolSchema = z.strictObject({
  ...poolBase,
  where: z.literal("aws"),
  maxCount: z.int().min(1).max(1000).optional(),
  zones: z
    .array(z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d[a-z]$/, "an availability zone as in us-east-1a"))
    .min(1)
    .max(16)
    .optional()
    .describe("Availability zones of the hosts; without it every zone of the subnets that has the type"),
  rootVolumeGiB: z.int().min(8).max(16_384).default(40),
  rootVolume: rootVolumeSchema.prefault({ type: "gp3" }),
  image: hostImageSchema.prefault({}),
  spot: z.boolean().default(false),
  onDemandCount: z
    .int()
    .min(0)
    .max(1000)
    .default(0)
    .describe("Of a spot pool, so many hosts on demand: they are there when spot is not"),
  placement: z.enum(["none", "cluster", "spread"]).default("none"),
  capacityReservationId: capacityReservationId.optional(),
  capacityBlockId: capacityReservationId
    .optional()
    .describe("A capacity block for machine learning, bought for a time"),
  warmPool: z
    .strictObject({
      count: z.int().min(1).max(100).describe("Hosts that have booted and are stopped, ready to join"),
    })
    .optional(),
  outbound: z.array(outboundRuleSchema).max(50).default([]),
  eks: eksNodesSchema.optional().describe("The hosts are nodes of the environment's EKS cluster"),
});

/** QEMU machines on this machine. */
export const localPoolSchema = z.strictObject({
  ...poolBase,
  where: z.literal("local"),
  sriovNic: z.boolean().default(true),
});

/** Machines that already exist, reached with OpenSSH. There are as many as are named. */
export const sshPoolSchema = z
  .strictObject({
    name: poolBase.name,
    needs: poolBase.needs,
    profile: poolBase.profile,
    where: z.literal("ssh"),
    login: sshLoginSchema.default({}).describe("How every host is logged in to, unless it says otherwise"),
    hosts: z
      .array(sshHostSchema.extend({ name: dnsLabel }))
      .min(1)
      .max(1000),
  })
  .transform(({ login, hosts, ...pool }) => ({
    ...pool,
    count: hosts.length,
    hosts: hosts.map(({ name, ...host }) => ({ name, target: sshTargetSchema.parse({ ...login, ...host }) })),
  }));

/** Racks with Redfish or IPMI, through Metal3. There are as many as are named. */
export const metal3PoolSchema = z
  .strictObject({
    name: poolBase.name,
    needs: poolBase.needs,
    profile: poolBase.profile,
    where: z.literal("metal3"),
    namespace: dnsLabel.default("metal3"),
    hosts: metal3MachinesSchema,
    ...metal3PoolShape,
  })
  .transform((pool) => ({ ...pool, count: pool.hosts.length }));

export const hostPoolSchema = z.discriminatedUnion("where", [
  awsPoolSchema,
  localPoolSchema,
  sshPoolSchema,
  metal3PoolSchema,
]);

/** The MCP service that runs on the hosts. */
export const serviceSpecSchema = z.strictObject({
  image: z
    .string()
    .regex(/^[^\s@]+@sha256:[0-9a-f]{64}$/, "an image pinned by digest: name@sha256:...")
    .optional(),
  runtime: z.enum(["systemd", "kubernetes"]),
  replicas: z.int().min(1).max(1000).default(1),
  cpus: z.int().min(1).max(512).default(1).describe("Whole CPUs per replica; requests equal limits"),
  memoryMiB: z.int().min(64).max(16_777_216).default(512),
  port: z.int().min(1024).max(65_535).default(8080),
  protocolEra: z.enum(["modern", "dual", "legacy"]).default("dual"),
  longestCallSeconds: z.int().min(1).max(3600).default(30),
  podSysctls: z
    .array(
      z.strictObject({
        name: z.string().regex(/^net(\.[a-z0-9_]+)+$/, "a sysctl of the network, as in net.core.somaxconn"),
        value: z.string().min(1).max(256),
      }),
    )
    .max(64)
    .optional()
    .describe(
      "Kernel settings of the pod's own network namespace, which the host's do not reach: what `bedplate plan --pod-sysctls` prints; the kubelet has to allow the unsafe ones",
    ),
  allowedHosts: serviceSettingsSchema.shape.allowedHosts.describe(
    "Host names that clients use, beside localhost and the service's names in its cluster",
  ),
  authorization: serviceAuthorizationSchema
    .optional()
    .describe("Callers need a token of this issuer; without it whoever reaches the service may call it"),
  kubernetes: kubernetesServiceSchema.optional(),
});

/**
 * Environment: one file per environment, the only input of a stack. Says where, what hosts, which service, and who pays.
 */
export const environmentSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("Environment"),
    name: dnsLabel,
    region: z.string().regex(/^([a-z]{2}(-[a-z]+)+-\d|local)$/, 'an AWS region as in us-east-1, or "local"'),
    owner: ownerSchema,
    hostPools: z.array(hostPoolSchema).min(1).max(50),
    service: serviceSpecSchema,
    cluster: clusterSchema.optional().describe("An EKS cluster of the environment's own"),
    budget: z.strictObject({
      currency: z.literal("USD"),
      perMonth: z.string().regex(/^\d{1,12}(\.\d{1,2})?$/, 'a decimal amount as in "1200.00"'),
    }),
    schedule: scheduleSchema.prefault({}),
    expires: z.iso
      .date()
      .optional()
      .describe("The last day that it is needed, UTC; `cost idle` names it afterwards, nothing removes it"),
    protection: z
      .strictObject({
        protect: z
          .boolean()
          .default(false)
          .describe("The engine refuses to delete or replace what holds data: key, buckets, groups of hosts"),
        retainOnDelete: z
          .boolean()
          .default(false)
          .describe("Key and buckets stay in the account when the environment is destroyed"),
      })
      .prefault({}),
  })
  .superRefine((environment, context) => {
    if (environment.service.runtime === "kubernetes" && environment.service.image === undefined) {
      context.addIssue({
        code: "custom",
        path: ["service", "image"],
        message: 'runtime "kubernetes" needs an image pinned by digest: name@sha256:...',
      });
    }
    if (serviceNamespace(environment).length > 63) {
      context.addIssue({
        code: "custom",
        path: ["owner", "service"],
        message: `with the environment's name it is above 63 characters: "${serviceNamespace(environment)}"`,
      });
    }
    const hosts = new SeenHosts();
    for (const issue of clusterFaults(environment)) context.addIssue({ code: "custom", ...issue });
    const seen = new Map<string, number>();
    for (const [index, pool] of environment.hostPools.entries()) {
      const first = seen.get(pool.name);
      if (first !== undefined) {
        context.addIssue({
          code: "custom",
          path: ["hostPools", index, "name"],
          message: `"${pool.name}" is hostPools[${first}] already`,
        });
      } else seen.set(pool.name, index);
      if (pool.where === "aws" && pool.maxCount !== undefined && pool.maxCount < pool.count) {
        context.addIssue({
          code: "custom",
          path: ["hostPools", index, "maxCount"],
          message: `${pool.maxCount} is below count ${pool.count}`,
        });
      }
      if (pool.where === "local" && environment.service.runtime === "kubernetes") {
        context.addIssue({
          code: "custom",
          path: ["service", "runtime"],
          message: `"kubernetes" has no cluster on local hosts: use "systemd"`,
        });
      }
      for (const fault of pool.where === "ssh" ? hosts.faultsOf(pool) : []) {
        context.addIssue({
          code: "custom",
          path: ["hostPools", index, "hosts", ...fault.path],
          message: fault.message,
        });
      }
      for (const { path, message } of pool.where === "metal3" ? metal3Faults(pool) : []) {
        context.addIssue({ code: "custom", path: ["hostPools", index, ...path], message });
      }
      if ((pool.where === "aws") === (environment.region === "local")) {
        context.addIssue({
          code: "custom",
          path: ["hostPools", index, "where"],
          message: `"${pool.where}" does not fit region "${environment.region}"`,
        });
      }
    }
  })
  .describe("One environment: where, what hosts, which service, who pays");

/** Hosts of ssh pools so far: two resources of one name, or for one machine, would take turns in undoing each other. */
class SeenHosts {
  readonly #places = new Map<string, string>();
  readonly #names = new Set<string>();

  faultsOf(pool: SshPool): { readonly path: readonly PropertyKey[]; readonly message: string }[] {
    return pool.hosts.flatMap(({ name, target }, index) => {
      const what = `${pool.name}-${name}`;
      const place = `${target.proxyJump?.address ?? ""} ${target.address.toLowerCase()} ${target.port}`;
      const isNameTaken = this.#names.has(what);
      const samePlace = this.#places.get(place);
      this.#names.add(what);
      if (samePlace === undefined) this.#places.set(place, what);
      return [
        ...(isNameTaken ? [{ path: [index, "name"], message: `there is a host "${what}" already` }] : []),
        ...(samePlace === undefined
          ? []
          : [
              {
                path: [index, "address"],
                message: `${describeTarget(target)} is host "${samePlace}" already`,
              },
            ]),
      ];
    });
  }
}

/** Type token of the component that makes one. */
export const ENVIRONMENT_TYPE = "bedplate:index:Environment";

export type Environment = z.output<typeof environmentSchema>;
export type EnvironmentInput = z.input<typeof environmentSchema>;
export type HostNeeds = z.output<typeof hostNeedsSchema>;
export type HostPool = z.output<typeof hostPoolSchema>;
export type AwsPool = z.output<typeof awsPoolSchema>;
export type RootVolume = z.output<typeof rootVolumeSchema>;
export type LocalPool = z.output<typeof localPoolSchema>;
export type Metal3Pool = z.output<typeof metal3PoolSchema>;
export type SshPool = z.output<typeof sshPoolSchema>;
export type ServiceSpec = z.output<typeof serviceSpecSchema>;

/** Namespace of the service on a cluster, which several environments may share. */
export function serviceNamespace(environment: {
  readonly name: string;
  readonly owner: { readonly service: string };
}): string {
  return `${environment.owner.service}-${environment.name}`;
}

/** The four tags that everything carries, as AWS tags and as Kubernetes labels; the cost report's default keys. */
export function ownerTags(
  environment: Pick<Environment, "name" | "owner">,
): Record<"team" | "cost-center" | "service" | "environment" | "managed-by", string> {
  return {
    team: environment.owner.team,
    "cost-center": environment.owner.costCenter,
    service: environment.owner.service,
    environment: environment.name,
    "managed-by": "bedplate",
  };
}
