import { signedFinder } from "./signed.ts";

/** Elastic IP addresses, and public addresses of network interfaces, that nothing which runs has. */
export const idleAddress = signedFinder({
  kind: "idle-address",
  being: {
    usageTypes: ["%PublicIPv4:IdleAddress", "%ElasticIP:IdleAddress"],
    descriptions: ["%idle public ipv4 address%", "%elastic ip address not attached%"],
  },
  use: undefined,
  unusedBecause: "AWS charges it as idle: nothing that runs had it",
  action: "release it (of a network interface: delete the interface), or attach it to what needs it",
  source: "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-ip-addressing.html",
});
