import { signedFinder } from "./signed.ts";

export const unusedNatGateway = signedFinder({
  kind: "unused-nat-gateway",
  being: { usageTypes: ["%NatGateway-Hours"], descriptions: ["%per nat gateway hour%"] },
  use: { usageTypes: ["%NatGateway-Bytes"], descriptions: ["%data processed by nat gateway%"] },
  unusedBecause: "hours of it are charged, and no bytes through it",
  action: "delete it and its route, or keep one for all zones",
  source: "https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-pricing.html",
});
