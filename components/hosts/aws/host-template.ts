import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import type { AwsPool, RootVolume } from "../../environment/environment-spec.ts";
import { type OwnerTags, launchTemplateTags } from "../../tags/owner-tags.ts";
import type { InterfacePlace } from "./network-interfaces.ts";
import type { PoolSelection } from "./select-instance-types.ts";

export interface HostTemplateArgs {
  readonly pool: AwsPool;
  readonly selection: pulumi.Output<PoolSelection>;
  readonly imageId: pulumi.Input<string>;
  readonly instanceProfileArn: pulumi.Input<string>;
  readonly securityGroupId: pulumi.Input<string>;
  /** Of the key that volumes are encrypted with. */
  readonly keyArn: pulumi.Input<string>;
  /** cloud-init user data, as base64. */
  readonly userData: pulumi.Input<string>;
  readonly tags: OwnerTags;
}

/** Name of the root device of Amazon Linux 2023 and of the images that AWS builds on it. */
const ROOT_DEVICE = "/dev/xvda";

/** What every host of a pool is launched from. */
export function makeHostTemplate(
  name: string,
  args: HostTemplateArgs,
  opts: pulumi.CustomResourceOptions,
): aws.ec2.LaunchTemplate {
  const { pool, selection } = args;
  const tags = { ...args.tags, Name: name };
  return new aws.ec2.LaunchTemplate(
    name,
    {
      description: `Hosts of pool ${pool.name}`,
      imageId: args.imageId,
      instanceType: selection.apply(({ instanceTypes: [first] }) => first.type),
      ebsOptimized: "true",
      updateDefaultVersion: true,
      userData: args.userData,
      iamInstanceProfile: { arn: args.instanceProfileArn },
      monitoring: { enabled: true },
      metadataOptions: {
        httpEndpoint: "enabled",
        httpTokens: "required",
        // One hop: the host itself, and no container on it.
        httpPutResponseHopLimit: 1,
        instanceMetadataTags: "enabled",
      },
      blockDeviceMappings: [
        {
          deviceName: ROOT_DEVICE,
          ebs: {
            ...volumeSpeed(pool.rootVolume),
            volumeSize: pool.rootVolumeGiB,
            encrypted: "true",
            kmsKeyId: args.keyArn,
            deleteOnTermination: "true",
          },
        },
      ],
      ...(pool.needs.threadsPerCore === undefined && pool.needs.coreCount === undefined
        ? {}
        : { cpuOptions: selection.apply(({ cpuOptions }) => cpuOptions) }),
      ...(pool.needs.efaInterfaces === 0 && !pool.needs.enaExpress
        ? { vpcSecurityGroupIds: [args.securityGroupId] }
        : {
            networkInterfaces: selection.apply(({ interfaces }) =>
              interfaces.map((place) => interfaceOf(place, pool, args.securityGroupId)),
            ),
          }),
      ...capacityOf(pool),
      tagSpecifications: launchTemplateTags(tags),
      tags,
    },
    opts,
  );
}

function volumeSpeed(volume: RootVolume) {
  return volume.type === "gp3"
    ? { volumeType: volume.type, iops: volume.iops, throughput: volume.throughputMiBPerSec }
    : { volumeType: volume.type, iops: volume.iops };
}

/** ENA Express is a setting of interfaces with IP: EFA has the same transport of itself. */
function interfaceOf(place: InterfacePlace, pool: AwsPool, securityGroupId: pulumi.Input<string>) {
  return {
    ...place,
    securityGroups: [securityGroupId],
    deleteOnTermination: "true",
    ...(pool.needs.enaExpress && place.interfaceType !== "efa-only"
      ? { enaSrdSpecification: { enaSrdEnabled: true, enaSrdUdpSpecification: { enaSrdUdpEnabled: true } } }
      : {}),
  };
}

/** A capacity block is a market of its own, and hosts of it end when it ends. */
function capacityOf({ capacityReservationId, capacityBlockId }: AwsPool) {
  const id = capacityBlockId ?? capacityReservationId;
  if (id === undefined) return {};
  return {
    capacityReservationSpecification: {
      capacityReservationTarget: { capacityReservationId: id },
    },
    ...(capacityBlockId === undefined ? {} : { instanceMarketOptions: { marketType: "capacity-block" } }),
  };
}
