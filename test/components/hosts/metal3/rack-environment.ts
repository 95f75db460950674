import type { EnvironmentInput } from "../../../../components/environment/environment-spec.ts";

/** Two machines of one rack, with everything that can be said of them. */
export function rackEnvironment(pool: Record<string, unknown> = {}): EnvironmentInput {
  const environment = {
    apiVersion: "bedplate/v1",
    kind: "Environment",
    name: "rack",
    region: "local",
    owner: { team: "agent-platform", costCenter: "CC-4711", service: "mcp-gateway" },
    hostPools: [
      {
        name: "serving",
        where: "metal3",
        needs: { vcpus: 64, memoryGiB: 256, bareMetal: true },
        profile: { preset: "latency", sriov: [{ match: { driver: "ice" }, virtualFunctions: 8 }] },
        image: {
          url: "https://images.example.com/debian-12.qcow2",
          checksum: "a".repeat(64),
        },
        artifactsUrl: "https://artifacts.example.com/bedplate",
        hosts: [
          {
            name: "r1u1",
            bmc: { address: "redfish-virtualmedia://10.0.9.1/redfish/v1/Systems/1" },
            bootMACAddress: "52:54:00:00:00:0a",
          },
          {
            name: "r1u2",
            bmc: {
              address: "idrac-virtualmedia+https://[fd00::2]:8443/redfish/v1/Systems/System.Embedded.1",
            },
            bootMACAddress: "52:54:00:00:00:0b",
            rootDeviceHints: { deviceName: "/dev/disk/by-path/pci-0000:41:00.0-nvme-1" },
          },
        ],
        rootDeviceHints: { minSizeGigabytes: 400, rotational: false },
        raid: {
          hardwareRAIDVolumes: [
            { level: "1", name: "system", numberOfPhysicalDisks: 2, rotational: false },
            {
              level: "1+0",
              controller: "RAID.Integrated.1-1",
              physicalDisks: ["Disk.0", "Disk.1", "Disk.2", "Disk.3"],
            },
          ],
        },
        firmwareSettings: { SriovGlobalEnable: "Enabled", LogicalProc: "Disabled", WorkloadProfile: 3 },
        dataImageUrl: "https://images.example.com/drivers.iso",
        ...pool,
      },
    ],
    service: { runtime: "systemd", cpus: 8, memoryMiB: 8192 },
    budget: { currency: "USD", perMonth: "0.00" },
  };
  return environment as unknown as EnvironmentInput;
}
