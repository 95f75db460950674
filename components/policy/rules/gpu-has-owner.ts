import { loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import { missingOwnerTags } from "../../tags/owner-tags.ts";
import { type CheckedResource, type ResourceRule, asList, asProps } from "../rule.ts";

/** The region with every type; which types have GPUs does not depend on it. */
const CATALOGUE_REGION = "us-east-1";
const GPU_RESOURCES = ["nvidia.com/gpu", "amd.com/gpu", "aws.amazon.com/neuron"] as const;

export const gpuHasOwner: ResourceRule = {
  name: "gpu-has-owner",
  description: "A GPU is the dearest thing that an environment has: whoever holds one is named on it.",
  remediation: "Give the hosts, and the pods that ask for GPUs, the four owner tags.",
  check(resource) {
    const gpu = gpuOf(resource);
    return gpu === undefined
      ? []
      : missingOwnerTags(resource.type, resource.props).map((path) => `${path} is missing, on ${gpu}`);
  },
};

/** What makes it a matter of GPUs, in words. */
function gpuOf({ type, props }: CheckedResource): string | undefined {
  if (type.startsWith("kubernetes:")) return gpuOfPod(props);
  return instanceTypesOf(props)
    .map(gpuOfType)
    .find((gpu) => gpu !== undefined);
}

function instanceTypesOf(props: Readonly<Record<string, unknown>>): readonly unknown[] {
  const template = asProps(asProps(props["mixedInstancesPolicy"])["launchTemplate"]);
  return [
    props["instanceType"],
    ...asList(props["instanceTypes"]),
    ...asList(template["overrides"]).map((override) => asProps(override)["instanceType"]),
  ];
}

function gpuOfType(name: unknown): string | undefined {
  const found = loadCatalogue(CATALOGUE_REGION).instanceTypes.find((candidate) => candidate.type === name);
  const [gpu] = found?.gpus ?? [];
  return gpu === undefined ? undefined : `a host with ${gpu.count} x ${gpu.manufacturer} ${gpu.model}`;
}

function gpuOfPod(props: Readonly<Record<string, unknown>>): string | undefined {
  const spec = asProps(props["spec"]);
  const pod = asProps(asProps(spec["template"])["spec"] ?? spec);
  const asked = asList(pod["containers"]).flatMap((container) => {
    const limits = asProps(asProps(asProps(container)["resources"])["limits"]);
    return GPU_RESOURCES.filter((name) => limits[name] !== undefined);
  });
  return asked[0] === undefined ? undefined : `a pod that asks for ${asked[0]}`;
}
