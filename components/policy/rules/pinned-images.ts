import { type CheckedResource, type ResourceRule, asList, asProps } from "../rule.ts";

const DIGEST = /@sha256:[0-9a-f]{64}$/;
/** A template's version that is whatever was made last: a group that runs it does not notice a new one. */
const MOVING_VERSIONS: ReadonlySet<unknown> = new Set(["$Latest", "$Default"]);

export const pinnedImages: ResourceRule = {
  name: "pinned-images",
  description:
    "What runs is named exactly: container images by digest, host images by id, templates by version.",
  remediation: "Name the image as name@sha256:..., the AMI by its id, and the template's latestVersion.",
  check(resource) {
    const { type, props } = resource;
    if (type.startsWith("kubernetes:")) return containerFaults(resource);
    switch (type) {
      case "aws:ec2/launchTemplate:LaunchTemplate":
      case "aws:ec2/instance:Instance": {
        const image = props[type.endsWith(":Instance") ? "ami" : "imageId"];
        return typeof image === "string" && image.startsWith("resolve:ssm:")
          ? [`imageId "${image}" is whatever the parameter holds at launch`]
          : [];
      }
      case "aws:autoscaling/group:Group":
        return templateSpecifications(props).flatMap(({ version }) =>
          version === undefined || MOVING_VERSIONS.has(version)
            ? [
                `a launch template's version is ${JSON.stringify(version ?? "$Default")}: an instance refresh does not see a new one`,
              ]
            : [],
        );
      default:
        return [];
    }
  },
};

function templateSpecifications(
  props: Readonly<Record<string, unknown>>,
): readonly { readonly version?: unknown }[] {
  const mixed = asProps(asProps(props["mixedInstancesPolicy"])["launchTemplate"])[
    "launchTemplateSpecification"
  ];
  return [props["launchTemplate"], mixed].filter((one) => one !== undefined).map(asProps);
}

/** Of a pod, or of what makes pods: a template in spec, or in the job of a schedule. */
function containerFaults({ type, props }: CheckedResource): readonly string[] {
  const spec = asProps(props["spec"]);
  const job = asProps(asProps(spec["jobTemplate"])["spec"]);
  const pod = type.endsWith(":Pod") ? spec : asProps(asProps(spec["template"] ?? job["template"])["spec"]);
  return ["initContainers", "containers"].flatMap((list) =>
    asList(pod[list]).flatMap((container, index) => {
      const { image } = asProps(container);
      return typeof image !== "string" || DIGEST.test(image)
        ? []
        : [`${list}[${index}].image "${image}" has no digest: it can be another one tomorrow`];
    }),
  );
}
