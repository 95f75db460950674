import type { EnvironmentInput } from "../components/environment/environment-spec.ts";

/** The shape of prod at its smallest: the same NVMe hosts, two of them, and the service on Kubernetes. */
export const staging: EnvironmentInput = {
  apiVersion: "bedplate/v1",
  kind: "Environment",
  name: "staging",
  region: "us-east-1",
  owner: { team: "agent-platform", costCenter: "CC-4711", service: "mcp-gateway" },
  hostPools: [
    {
      name: "serving",
      where: "aws",
      count: 2,
      maxCount: 3,
      needs: { vcpus: 8, memoryGiB: 32, nvmeGB: 400, networkGbitPerSec: 10 },
      profile: {
        preset: "latency",
        workload: { connections: 4096, streams: 1024, connectionsPerSecond: 300 },
        nvme: { layout: "raid0", mountPath: "/var/lib/mcp" },
        consent: ["data-loss"],
      },
    },
  ],
  service: {
    // Your registry, and the digest that your image build printed.
    image:
      "registry.example.com/mcp/reference-server@sha256:5d0c1f6a2f3d4c0b6f2f7a9b0f6a8d1e3c5b7a9d2e4f60718293a4b5c6d7e8f9",
    runtime: "kubernetes",
    replicas: 2,
    cpus: 2,
    memoryMiB: 4096,
    protocolEra: "dual",
    longestCallSeconds: 60,
  },
  budget: { currency: "USD", perMonth: "1500.00" },
};
