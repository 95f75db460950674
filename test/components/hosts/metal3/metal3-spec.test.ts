import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { environmentSchema } from "../../../../components/environment/environment-spec.ts";
import { rackEnvironment } from "./rack-environment.ts";

/** Faults of a rack whose pool is changed so: where, and what. */
function faultsOf(pool: Record<string, unknown>): readonly string[] {
  const result = environmentSchema.safeParse(rackEnvironment(pool));
  return result.success
    ? []
    : result.error.issues.map(({ path, message }) => `${path.slice(2).join(".")}: ${message}`);
}

const machine = (changes: Record<string, unknown> = {}) => ({
  name: "r1u1",
  bmc: { address: "redfish://10.0.9.1/redfish/v1/Systems/1" },
  bootMACAddress: "52:54:00:00:00:0a",
  ...changes,
});

describe("a pool of racked machines", () => {
  test("is as many as are named, with what Metal3 does by default", () => {
    const environment = environmentSchema.parse(rackEnvironment());
    expect(environment.hostPools[0]).toMatchObject({
      where: "metal3",
      count: 2,
      namespace: "metal3",
      bootMode: "UEFI",
      automatedCleaningMode: "metadata",
      image: { format: "qcow2" },
    });
  });

  test.each([
    ["redfish://10.0.9.1/redfish/v1/Systems/1", true],
    ["redfish+http://bmc-1.example.com:8000/redfish/v1/Systems/1", true],
    ["ipmi://10.0.9.1:623", true],
    ["idrac-redfish://[fd00::1]/redfish/v1/Systems/System.Embedded.1", true],
    ["10.0.9.1", false],
    ["https://10.0.9.1/redfish/v1/Systems/1", false],
    ["redfish://root:calvin@10.0.9.1/redfish/v1/Systems/1", false],
    ["redfish://10.0.9.1/redfish/v1/Systems/1 --insecure", false],
    ["redfish://10.0.9.1:port/", false],
  ])("takes the controller's address %s: %s", (address, isTaken) => {
    expect(faultsOf({ raid: undefined, hosts: [machine({ bmc: { address } })] }).length === 0).toBe(isTaken);
  });

  test("fails for the same name or NIC twice, naming the first", () => {
    expect(
      faultsOf({
        hosts: [machine(), machine({ name: "r1u2" }), machine({ bootMACAddress: "52:54:00:00:00:0c" })],
      }),
    ).toEqual([
      "hosts.2.name: is that of hosts[0] already",
      "hosts.1.bootMACAddress: is that of hosts[0] already",
    ]);
  });

  test("fails for RAID that Metal3 would refuse, or would set up otherwise than it reads", () => {
    const hardware = (volume: Record<string, unknown>) =>
      faultsOf({ raid: { hardwareRAIDVolumes: [volume] } });
    expect(hardware({ level: "1", physicalDisks: ["a"] })).toEqual([
      expect.stringMatching(/controller: missing, and physicalDisks/),
    ]);
    expect(
      hardware({ level: "1", controller: "c", physicalDisks: ["a", "b"], numberOfPhysicalDisks: 3 }),
    ).toEqual([expect.stringMatching(/numberOfPhysicalDisks: 3, and physicalDisks names 2/)]);
    expect(hardware({ level: "3" })).toHaveLength(1);
    const both = { hardwareRAIDVolumes: [{ level: "1" }], softwareRAIDVolumes: [{ level: "1" }] };
    expect(faultsOf({ raid: both })).toHaveLength(1);
    expect(
      faultsOf({
        rootDeviceHints: undefined,
        hosts: [machine()],
        raid: {
          softwareRAIDVolumes: [
            { level: "0", rootVolume: true },
            { level: "1", rootVolume: true },
          ],
        },
      }),
    ).toEqual([
      'raid.softwareRAIDVolumes.0.level: "0": the root volume has to be a mirror, "1"',
      "raid.softwareRAIDVolumes.0.rootVolume: is set for another volume too",
      "raid.softwareRAIDVolumes.1.rootVolume: is set for another volume too",
    ]);
    expect(
      faultsOf({ hosts: [machine()], raid: { softwareRAIDVolumes: [{ level: "1", rootVolume: true }] } }),
    ).toEqual(["hosts.0: rootDeviceHints cannot go with a RAID volume that is the root volume"]);
  });

  test("fails for what the controller's protocol cannot do", () => {
    const hosts = [machine({ bmc: { address: "ipmi://10.0.9.1" } })];
    expect(faultsOf({ hosts, bootMode: "UEFISecureBoot" })).toEqual([
      "hosts.0.bmc.address: the driver cannot set up hardware RAID: use redfish",
      "hosts.0.bmc.address: the driver cannot switch secure boot: use redfish",
    ]);
  });

  test("fails for an image that nobody could check, and archives that anybody could change", () => {
    const image = {
      url: "https://images.example.com/debian.qcow2",
      checksum: "d41d8cd98f00b204e9800998ecf8427e",
    };
    expect(faultsOf({ image })).toEqual([
      expect.stringMatching(/image\.checksum: a sha256 or sha512 digest/),
    ]);
    expect(faultsOf({ artifactsUrl: "http://artifacts.example.com" })).toEqual([
      expect.stringMatching(/artifactsUrl: an https address/),
    ]);
  });

  test("fails where the service runs on Kubernetes: nothing joins racked machines to a cluster", () => {
    const service = { runtime: "kubernetes", image: `registry.example.com/mcp@sha256:${"a".repeat(64)}` };
    const result = environmentSchema.safeParse({ ...rackEnvironment(), service });
    expect(result.error?.issues.map(({ path }) => path.join("."))).toEqual(["service.runtime"]);
  });

  test("never throws anything but faults, whatever a machine and its volumes are", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ name: fc.string(), bmc: fc.object(), bootMACAddress: fc.string() }), {
          maxLength: 4,
        }),
        fc.oneof(fc.object(), fc.constant({ softwareRAIDVolumes: [{ level: "1", rootVolume: true }] })),
        (hosts, raid) => {
          for (const fault of faultsOf({ hosts, raid })) expect(fault).toMatch(/^[^:]*: \S/);
        },
      ),
    );
  });
});
