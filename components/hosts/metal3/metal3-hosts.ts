import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import type { Metal3Pool } from "../../environment/environment-spec.ts";
import type { OwnerTags } from "../../tags/owner-tags.ts";
import type { Hosts } from "../hosts.ts";
import type { BmcCredentials } from "./bmc-credentials.ts";
import type { Metal3Machine } from "./metal3-spec.ts";

export interface Metal3HostsArgs {
  readonly pool: Metal3Pool;
  /** cloud-init user data, as text. */
  readonly userData: string;
  /** By the name of the machine's resource. */
  readonly credentials: BmcCredentials;
  /** Undefined where the service is not a unit of the host. */
  readonly servicePort?: number;
  readonly tags: OwnerTags;
  /** The cluster that runs Metal3. */
  readonly provider: k8s.Provider;
}

const METAL3 = "metal3.io/v1alpha1";

/** Registering, inspecting, cleaning and writing the image, with three passes through the firmware. */
const PROVISION_LIMIT_SECONDS = 5400;

/** The name that Metal3 has for it: that of the kernel. */
const ARCHITECTURES = { x86_64: "x86_64", arm64: "aarch64" } as const;

/** What of a machine's status says how it is reached. */
const statusSchema = z.object({
  hardware: z.object({
    nics: z.array(z.object({ mac: z.string(), ip: z.string().optional() })),
  }),
});

/**
 * A pool of racked machines, each a BareMetalHost that Metal3 registers, inspects and writes the image to. Made when the
 * machine is provisioned: until then the engine waits and shows where it is.
 *
 * User data is read when an image is written and not again, so a change of it reaches a machine with its next image.
 *
 * @see https://book.metal3.io/bmo/provisioning
 */
export class Metal3Hosts extends pulumi.ComponentResource implements Hosts {
  readonly where = "metal3";
  readonly machineType = "metal3";
  readonly poolName: string;
  readonly count: number;
  readonly addresses: pulumi.Output<readonly string[]>;
  readonly serviceUrls: pulumi.Output<readonly string[]>;

  constructor(name: string, args: Metal3HostsArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("bedplate:index:Metal3Hosts", name, {}, { ...opts, providers: [args.provider] });
    const { pool } = args;
    this.poolName = pool.name;
    this.count = pool.count;
    const userData = new k8s.core.v1.Secret(
      `${name}-user-data`,
      { metadata: metadataOf(`${name}-user-data`, args), stringData: { userData: args.userData } },
      { parent: this },
    );
    const addresses = pool.hosts.map((machine) =>
      this.#makeMachine(`${name}-${machine.name}`, machine, userData, args),
    );
    this.addresses = pulumi
      .all(addresses)
      .apply((known) => known.filter((address): address is string => address !== undefined));
    const { servicePort } = args;
    this.serviceUrls = this.addresses.apply((known) =>
      servicePort === undefined ? [] : known.map((address) => `http://${address}:${servicePort}/mcp`),
    );
    this.registerOutputs({ addresses: this.addresses });
  }

  /** The machine's address, as its inspection found it on the NIC that boots. */
  #makeMachine(
    name: string,
    machine: Metal3Machine,
    userData: k8s.core.v1.Secret,
    args: Metal3HostsArgs,
  ): pulumi.Output<string | undefined> {
    const { pool } = args;
    const metadata = metadataOf(name, args);
    const credentials = new k8s.core.v1.Secret(
      `${name}-bmc`,
      { metadata: metadataOf(`${name}-bmc`, args), stringData: args.credentials.of(name) },
      { parent: this },
    );
    const settings = this.#makeSettings(name, args, metadata);
    const host = new k8s.apiextensions.CustomResource(
      name,
      {
        apiVersion: METAL3,
        kind: "BareMetalHost",
        metadata: {
          ...metadata,
          annotations: {
            "pulumi.com/waitFor": "jsonpath={.status.provisioning.state}=provisioned",
            "pulumi.com/timeoutSeconds": String(PROVISION_LIMIT_SECONDS),
          },
        },
        spec: hostSpec(machine, pool, {
          credentialsName: credentials.metadata.name,
          userDataName: userData.metadata.name,
        }),
        // Not given: named, so that it is read back.
        status: undefined,
      },
      // A machine that is registered twice, by its boot MAC address, is refused: it is given up before it is made anew.
      { parent: this, dependsOn: [...settings], deleteBeforeReplace: true },
    );
    return statusOf(host).apply((status) => {
      const known = statusSchema.safeParse(status);
      return known.data?.hardware.nics.find(({ mac }) => mac.toLowerCase() === machine.bootMACAddress)?.ip;
    });
  }

  /** Firmware settings and an attached ISO belong to the host of the same name, and have to be there before it is. */
  #makeSettings(
    name: string,
    { pool }: Metal3HostsArgs,
    metadata: ReturnType<typeof metadataOf>,
  ): readonly pulumi.Resource[] {
    const made: pulumi.Resource[] = [];
    if (Object.keys(pool.firmwareSettings).length > 0) {
      made.push(
        new k8s.apiextensions.CustomResource(
          `${name}-firmware`,
          {
            apiVersion: METAL3,
            kind: "HostFirmwareSettings",
            metadata,
            spec: { settings: pool.firmwareSettings },
          },
          { parent: this },
        ),
      );
    }
    if (pool.dataImageUrl !== undefined) {
      made.push(
        new k8s.apiextensions.CustomResource(
          `${name}-data-image`,
          { apiVersion: METAL3, kind: "DataImage", metadata, spec: { url: pool.dataImageUrl } },
          { parent: this },
        ),
      );
    }
    return made;
  }
}

function metadataOf(name: string, { pool, tags }: Pick<Metal3HostsArgs, "pool" | "tags">) {
  return {
    name,
    namespace: pool.namespace,
    labels: { "app.kubernetes.io/managed-by": "bedplate", "bedplate.dev/pool": pool.name, ...tags },
  };
}

function hostSpec(
  machine: Metal3Machine,
  pool: Metal3Pool,
  names: { readonly credentialsName: pulumi.Input<string>; readonly userDataName: pulumi.Input<string> },
) {
  const { image } = pool;
  const rootDeviceHints = machine.rootDeviceHints ?? pool.rootDeviceHints;
  return {
    online: true,
    architecture: ARCHITECTURES[pool.needs.architecture],
    automatedCleaningMode: pool.automatedCleaningMode,
    bmc: { ...machine.bmc, credentialsName: names.credentialsName },
    bootMACAddress: machine.bootMACAddress,
    bootMode: pool.bootMode,
    image: {
      url: image.url,
      checksum: image.checksum,
      checksumType: image.checksum.length === 64 ? "sha256" : "sha512",
      format: image.format,
    },
    userData: { name: names.userDataName, namespace: pool.namespace },
    ...(rootDeviceHints === undefined ? {} : { rootDeviceHints }),
    ...(pool.raid === undefined ? {} : { raid: pool.raid }),
  };
}

/** A custom resource has the properties that it was made with, which its type does not say. */
function statusOf(host: k8s.apiextensions.CustomResource): pulumi.Output<unknown> {
  return (host as unknown as { readonly status: pulumi.Output<unknown> }).status;
}
