import type { EnvironmentInput } from "../components/environment/environment-spec.ts";

/** Bare metal with NVMe for the service, and GPU hosts for the tools that run models. */
export const prod: EnvironmentInput = {
  apiVersion: "bedplate/v1",
  kind: "Environment",
  name: "prod",
  region: "us-east-1",
  owner: { team: "agent-platform", costCenter: "CC-4711", service: "mcp-gateway" },
  hostPools: [
    {
      name: "serving-metal",
      where: "aws",
      count: 2,
      maxCount: 4,
      placement: "spread",
      rootVolumeGiB: 80,
      needs: { vcpus: 64, memoryGiB: 256, nvmeGB: 1900, networkGbitPerSec: 25, bareMetal: true },
      profile: {
        preset: "latency",
        workload: {
          connections: 65_536,
          streams: 16_384,
          connectionsPerSecond: 2000,
          outboundConnections: 2048,
        },
        hugepages: { perNode: 1024 },
        nvme: { layout: "raid0", mountPath: "/var/lib/mcp" },
        consent: ["data-loss"],
      },
    },
    {
      name: "tools-gpu",
      where: "aws",
      count: 1,
      maxCount: 4,
      placement: "cluster",
      rootVolumeGiB: 200,
      needs: { vcpus: 8, memoryGiB: 32, gpus: 1, gpuModel: "l4", nvmeGB: 200, networkGbitPerSec: 10 },
      profile: {
        preset: "gpu",
        workload: { connections: 1024, streams: 256 },
        nvme: { layout: "raid0", mountPath: "/var/lib/models" },
        consent: ["data-loss"],
      },
    },
  ],
  service: {
    // Your registry, and the digest that your image build printed.
    image:
      "registry.example.com/mcp/reference-server@sha256:5d0c1f6a2f3d4c0b6f2f7a9b0f6a8d1e3c5b7a9d2e4f60718293a4b5c6d7e8f9",
    runtime: "kubernetes",
    replicas: 6,
    cpus: 4,
    memoryMiB: 8192,
    protocolEra: "dual",
    longestCallSeconds: 120,
  },
  budget: { currency: "USD", perMonth: "16000.00" },
  protection: { protect: true, retainOnDelete: true },
};
