/**
 * What the SDK's declarations leave out of a provider's schema: which inputs cannot be changed in place, and what a
 * resource's id is. AWS: `ForceNew` and `RequiresReplace` in hashicorp/terraform-provider-aws, internal/service/*;
 * Kubernetes: the table `forceNew` in pulumi/pulumi-kubernetes, provider/pkg/provider/diff.go. A test holds the rows of AWS
 * against `createOnlyProperties` of AWS's own resource schemas.
 */
export interface TypeFacts {
  /** A change of one of these, or below one, replaces the resource. */
  readonly replacedBy: readonly string[];
  /** The inputs that are the id, joined by a colon, or what a generated id begins with. */
  readonly id: { readonly inputs: readonly string[] } | { readonly prefix: string };
  /** A setting of what the id names: whoever refers to the id means that. */
  readonly isSetting?: true;
  /** An input that keeps the cloud from deleting the resource while it is true. */
  readonly keptBy?: string;
}

const named = (...more: string[]): TypeFacts => ({
  id: { inputs: ["name"] },
  replacedBy: ["name", "namePrefix", ...more],
});
const within = (owner: string, name: string, ...more: string[]): TypeFacts => ({
  id: { inputs: [owner, name] },
  replacedBy: [owner, name, `${name}Prefix`, ...more],
});
const numbered = (prefix: string, ...replacedBy: string[]): TypeFacts => ({ id: { prefix }, replacedBy });
const ofBucket: TypeFacts = {
  id: { inputs: ["bucket"] },
  replacedBy: ["bucket", "expectedBucketOwner"],
  isSetting: true,
};

const AWS_TYPES: Readonly<Record<string, TypeFacts>> = {
  "aws:autoscaling/group:Group": named("initialLifecycleHooks"),
  "aws:autoscaling/lifecycleHook:LifecycleHook": within("autoscalingGroupName", "name"),
  "aws:autoscaling/policy:Policy": within("autoscalingGroupName", "name"),
  "aws:autoscaling/schedule:Schedule": within("autoscalingGroupName", "scheduledActionName"),
  "aws:cloudwatch/logGroup:LogGroup": named("logGroupClass"),
  "aws:ec2/capacityReservation:CapacityReservation": numbered(
    "cr-",
    "availabilityZone",
    "ebsOptimized",
    "ephemeralStorage",
    "instancePlatform",
    "instanceType",
    "outpostArn",
    "placementGroupArn",
    "tenancy",
  ),
  "aws:ec2/launchTemplate:LaunchTemplate": numbered("lt-", "name", "namePrefix"),
  "aws:ec2/placementGroup:PlacementGroup": named("partitionCount", "spreadLevel", "strategy"),
  "aws:ec2/securityGroup:SecurityGroup": numbered("sg-", "description", "name", "namePrefix", "vpcId"),
  "aws:ec2/vpcEndpoint:VpcEndpoint": numbered(
    "vpce-",
    "resourceConfigurationArn",
    "serviceName",
    "serviceNetworkArn",
    "serviceRegion",
    "vpcEndpointType",
    "vpcId",
  ),
  "aws:eks/accessEntry:AccessEntry": within("clusterName", "principalArn", "type"),
  "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": numbered(
    "policy-",
    "accessScope",
    "clusterName",
    "policyArn",
    "principalArn",
  ),
  "aws:eks/addon:Addon": within("clusterName", "addonName"),
  "aws:eks/cluster:Cluster": {
    id: { inputs: ["name"] },
    replacedBy: [
      "name",
      "roleArn",
      "bootstrapSelfManagedAddons",
      "encryptionConfig",
      "outpostConfig",
      "kubernetesNetworkConfig.ipFamily",
      "kubernetesNetworkConfig.serviceIpv4Cidr",
      "accessConfig.bootstrapClusterCreatorAdminPermissions",
    ],
    keptBy: "deletionProtection",
  },
  "aws:eks/nodeGroup:NodeGroup": within(
    "clusterName",
    "nodeGroupName",
    "amiType",
    "capacityType",
    "diskSize",
    "instanceTypes",
    "nodeRoleArn",
    "remoteAccess",
    "subnetIds",
  ),
  "aws:eks/podIdentityAssociation:PodIdentityAssociation": numbered(
    "a-",
    "clusterName",
    "namespace",
    "serviceAccount",
  ),
  "aws:iam/instanceProfile:InstanceProfile": named("path"),
  "aws:iam/openIdConnectProvider:OpenIdConnectProvider": { id: { inputs: ["url"] }, replacedBy: ["url"] },
  "aws:iam/policy:Policy": named("description", "path"),
  "aws:iam/role:Role": named("path"),
  "aws:iam/rolePolicy:RolePolicy": within("role", "name"),
  "aws:iam/rolePolicyAttachment:RolePolicyAttachment": numbered("attachment-", "policyArn", "role"),
  "aws:kms/alias:Alias": named(),
  "aws:kms/key:Key": numbered(
    "key-",
    "customKeyStoreId",
    "customerMasterKeySpec",
    "keyUsage",
    "multiRegion",
    "xksKeyId",
  ),
  "aws:s3/bucket:Bucket": {
    id: { inputs: ["bucket"] },
    replacedBy: ["bucket", "bucketPrefix", "objectLockEnabled"],
  },
  "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": ofBucket,
  "aws:s3/bucketLogging:BucketLogging": ofBucket,
  "aws:s3/bucketObjectv2:BucketObjectv2": within("bucket", "key"),
  "aws:s3/bucketOwnershipControls:BucketOwnershipControls": ofBucket,
  "aws:s3/bucketPolicy:BucketPolicy": ofBucket,
  "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": ofBucket,
  "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": ofBucket,
  "aws:s3/bucketVersioning:BucketVersioning": ofBucket,
  "aws:ssm/association:Association": numbered("association-", "name"),
  "aws:ssm/parameter:Parameter": named("dataType"),
  "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": numbered("sgr-", "securityGroupId"),
  "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": numbered("sgr-", "securityGroupId"),
};

const SELECTED: readonly string[] = ["spec.selector"];
const KUBERNETES_KINDS: Readonly<Record<string, readonly string[]>> = {
  DaemonSet: SELECTED,
  Deployment: SELECTED,
  StatefulSet: [...SELECTED, "spec.podManagementPolicy", "spec.serviceName", "spec.volumeClaimTemplates"],
  ClusterRoleBinding: ["roleRef"],
  RoleBinding: ["roleRef"],
  ConfigMap: ["binaryData", "data"],
  Secret: ["data", "stringData", "type"],
  Job: [...SELECTED, "spec.completions", "spec.parallelism", "spec.template"],
  PersistentVolumeClaim: ["spec"],
  ResourceQuota: ["spec.scopes"],
  Service: ["spec.clusterIP"],
  StorageClass: ["parameters", "provisioner"],
};

/**
 * A type without a row: what names it replaces it, everything else is changed in place.
 *
 * @param isSecretMutable setting of the provider of Kubernetes: a Secret is changed in place
 */
export function factsOf(type: string, { isSecretMutable = false } = {}): TypeFacts {
  if (type.startsWith("kubernetes:")) {
    const kind = type.slice(type.lastIndexOf(":") + 1);
    const ofKind = isSecretMutable && kind === "Secret" ? [] : (KUBERNETES_KINDS[kind] ?? []);
    return { id: { prefix: "" }, replacedBy: ["metadata.name", "metadata.namespace", ...ofKind] };
  }
  const name = type.slice(type.lastIndexOf(":") + 1).toLowerCase();
  return AWS_TYPES[type] ?? numbered(`${name}-`, "name", "namePrefix", "bucket");
}
