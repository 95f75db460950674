import { signedFinder } from "./signed.ts";

export const unusedEndpoint = signedFinder({
  kind: "unused-endpoint",
  being: { usageTypes: ["%VpcEndpoint-Hours"], descriptions: ["%per vpc endpoint hour%"] },
  use: { usageTypes: ["%VpcEndpoint-Bytes"], descriptions: ["%data processed by vpc endpoint%"] },
  unusedBecause: "hours of it are charged, and no bytes through it",
  action: "delete it where no policy asks for it",
  source: "https://aws.amazon.com/privatelink/pricing/",
});
