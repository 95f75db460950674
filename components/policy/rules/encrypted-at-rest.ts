import { type CheckedResource, type ResourceRule, asList, asProps, isOn } from "../rule.ts";

/** The switch that encrypts what a resource stores, where it has one of its own and it is off unless set. */
const SWITCHES: Readonly<Record<string, string>> = {
  "aws:ebs/volume:Volume": "encrypted",
  "aws:efs/fileSystem:FileSystem": "encrypted",
  "aws:elasticache/replicationGroup:ReplicationGroup": "atRestEncryptionEnabled",
  "aws:fsx/lustreFileSystem:LustreFileSystem": "kmsKeyId",
  "aws:rds/cluster:Cluster": "storageEncrypted",
  "aws:rds/instance:Instance": "storageEncrypted",
};

const isSet = (value: unknown): boolean =>
  isOn(value) || (typeof value === "string" && value.startsWith("arn:"));

export const encryptedAtRest: ResourceRule = {
  name: "encrypted-at-rest",
  description: "What is stored is encrypted: volumes, file systems, databases, caches, secrets of a cluster.",
  remediation:
    "Set the property that is named; for volumes of a launch template, encrypted in every block device mapping.",
  check(resource) {
    const { type, props } = resource;
    const property = SWITCHES[type];
    if (property !== undefined) return isSet(props[property]) ? [] : [`${property} is not set`];
    switch (type) {
      case "aws:ec2/launchTemplate:LaunchTemplate":
        return templateFaults(resource);
      case "aws:ec2/instance:Instance":
        return isOn(asProps(props["rootBlockDevice"])["encrypted"])
          ? []
          : ["rootBlockDevice.encrypted is not set"];
      case "aws:eks/cluster:Cluster":
        return asList(asProps(props["encryptionConfig"])["resources"]).includes("secrets")
          ? []
          : ['encryptionConfig.resources lacks "secrets"'];
      case "kubernetes:storage.k8s.io/v1:StorageClass":
        return props["provisioner"] !== "ebs.csi.aws.com" || isOn(asProps(props["parameters"])["encrypted"])
          ? []
          : ['parameters.encrypted is not "true"'];
      default:
        return [];
    }
  },
};

/** Without a mapping the root volume is what the image says, and the public ones are not encrypted. */
function templateFaults({ props }: CheckedResource): readonly string[] {
  const mappings = asList(props["blockDeviceMappings"]).map(asProps);
  if (mappings.length === 0) return ["blockDeviceMappings is empty: the root volume is as the image has it"];
  return mappings.flatMap((mapping, index) => {
    const ebs = mapping["ebs"];
    return ebs === undefined || isOn(asProps(ebs)["encrypted"])
      ? []
      : [`blockDeviceMappings[${index}].ebs.encrypted is not set`];
  });
}
