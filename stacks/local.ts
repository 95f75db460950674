import type { EnvironmentInput } from "../components/environment/environment-spec.ts";

/** One QEMU machine on this machine, tuned and serving like the others: no account, no cluster. */
export const local: EnvironmentInput = {
  apiVersion: "bedplate/v1",
  kind: "Environment",
  name: "local",
  region: "local",
  owner: { team: "agent-platform", costCenter: "CC-4711", service: "mcp-gateway" },
  hostPools: [
    {
      name: "lab",
      where: "local",
      count: 1,
      needs: { vcpus: 4, memoryGiB: 2, nvmeGB: 1, numaNodes: 2 },
      profile: {
        preset: "latency",
        workload: { connections: 1024, streams: 256, connectionsPerSecond: 50, rttMillis: 2 },
        hugepages: { perNode: 16 },
        sriov: [{ match: { driver: "igb" }, virtualFunctions: 2 }],
        // The lab's network ends at the VM: it has no default route.
        confirm: { gateway: false },
      },
    },
  ],
  service: { runtime: "systemd", cpus: 1, memoryMiB: 256 },
  budget: { currency: "USD", perMonth: "0.00" },
};
