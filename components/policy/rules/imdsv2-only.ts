import { type ResourceRule, asProps } from "../rule.ts";

const TYPES: ReadonlySet<string> = new Set([
  "aws:ec2/instance:Instance",
  "aws:ec2/launchConfiguration:LaunchConfiguration",
  "aws:ec2/launchTemplate:LaunchTemplate",
  "aws:ec2/spotInstanceRequest:SpotInstanceRequest",
]);

/** A pod's packet is one hop older than its host's: at 2, pods reach the host's credentials. */
const HOST_ONLY_HOPS = 1;

export const imdsv2Only: ResourceRule = {
  name: "imdsv2-only",
  description: "Instance metadata answers requests with a session token only, and only of the host itself.",
  remediation: 'Set metadataOptions.httpTokens to "required" and httpPutResponseHopLimit to 1.',
  check({ type, props }) {
    if (!TYPES.has(type)) return [];
    const options = asProps(props["metadataOptions"]);
    if (options["httpEndpoint"] === "disabled") return [];
    const hops = options["httpPutResponseHopLimit"] ?? HOST_ONLY_HOPS;
    return [
      ...(options["httpTokens"] === "required"
        ? []
        : ['metadataOptions.httpTokens is not "required": IMDSv1 answers without a token']),
      ...(hops === HOST_ONLY_HOPS
        ? []
        : [
            `metadataOptions.httpPutResponseHopLimit is ${JSON.stringify(hops)}: containers reach the host's role`,
          ]),
    ];
  },
};
