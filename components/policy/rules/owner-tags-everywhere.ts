import { missingOwnerTags } from "../../tags/owner-tags.ts";
import type { ResourceRule } from "../rule.ts";

export const ownerTagsEverywhere: ResourceRule = {
  name: "owner-tags-everywhere",
  description: "Whatever can carry tags or labels says whose it is: team, cost-center, service, environment.",
  remediation:
    "Give the resource the tags of ownerTags(environment), also in a launch template's tag specifications.",
  check: ({ type, props }) => missingOwnerTags(type, props).map((path) => `${path} is missing`),
};
