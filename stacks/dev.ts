import type { EnvironmentInput } from "../components/environment/environment-spec.ts";

/** One small pool of VMs for the team's daily work; the service runs under systemd on each. */
export const dev: EnvironmentInput = {
  apiVersion: "bedplate/v1",
  kind: "Environment",
  name: "dev",
  region: "us-east-1",
  owner: { team: "agent-platform", costCenter: "CC-4711", service: "mcp-gateway" },
  hostPools: [
    {
      name: "general",
      where: "aws",
      count: 1,
      maxCount: 2,
      spot: true,
      needs: { vcpus: 2, memoryGiB: 8 },
      profile: { preset: "balanced", workload: { connections: 512, streams: 128, connectionsPerSecond: 50 } },
    },
  ],
  service: { runtime: "systemd", cpus: 1, memoryMiB: 1024 },
  budget: { currency: "USD", perMonth: "150.00" },
  schedule: { running: { days: "MON-FRI", from: "07:00", to: "19:00", timeZone: "Europe/Berlin" } },
};
