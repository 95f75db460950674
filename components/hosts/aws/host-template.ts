import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import type { AwsPool, RootVolume } from "../../environment/environment-spec.ts";
import { type OwnerTags, launchTemplateTags } from "../../tags/owner-tags.ts";
import type { InterfacePlace } from "./network-interfaces.ts";
import type { HostTypes } from "./select-instance-types.ts";

export interface HostLaunch {
  readonly imageId: pulumi.Input<string>;
  readonly instanceProfileArn: pulumi.Input<string>;
}

export interface HostTemplateArgs {
  readonly pool: AwsPool;
  readonly selection: pulumi.Output<HostTypes>;
  /** With the image, its role and the type; undefined where EKS fills them in, for a managed node group. */
  readonly launch: HostLaunch | undefined;
  readonly securityGroupIds: readonly pulumi.Input<string>[];
  /** Where whoever launches the hosts does not place them. */
  readonly placementGroupName?: pulumi.Input<string>;
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
  const { pool, selection, launch } = args;
  const tags = { ...args.tags, Name: name };
  return new aws.ec2.LaunchTemplate(
    name,
    {
      description: `Hosts of pool ${pool.name}`,
      ...(launch === undefined
        ? {}
        : {
            imageId: launch.imageId,
            instanceType: selection.apply(({ instanceTypes: [first] }) => first.type),
            iamInstanceProfile: { arn: launch.instanceProfileArn },
          }),
      ...(args.placementGroupName === undefined ? {} : { placement: { groupName: args.placementGroupName } }),
      ebsOptimized: "true",
      updateDefaultVersion: true,
      userData: args.userData,
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
        ? { vpcSecurityGroupIds: [...args.securityGroupIds] }
        : {
            networkInterfaces: selection.apply(({ interfaces }) =>
              interfaces.map((place) => interfaceOf(place, pool, args.securityGroupIds)),
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
function interfaceOf(
  place: InterfacePlace,
  pool: AwsPool,
  securityGroupIds: readonly pulumi.Input<string>[],
) {
  return {
    ...place,
    securityGroups: [...securityGroupIds],
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
