import { signedFinder } from "./signed.ts";

export const unusedLoadBalancer = signedFinder({
  kind: "unused-load-balancer",
  being: {
    usageTypes: ["%LoadBalancerUsage"],
    descriptions: ["%loadbalancer-hour%", "%load balancer-hour%"],
  },
  use: {
    usageTypes: ["%LCUUsage", "%LoadBalancer%Bytes", "%DataProcessing-Bytes"],
    descriptions: ["%load balancer capacity unit%", "%data processed by the%balancer%"],
  },
  unusedBecause: "hours of it are charged, and no capacity units or bytes",
  action: "delete it after a look at its listeners and DNS names",
  source: "https://aws.amazon.com/elasticloadbalancing/pricing/",
});
