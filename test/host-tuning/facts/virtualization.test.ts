import { describe, expect, test } from "vitest";
import type { HostTree } from "../../helpers/host-root.ts";
import { factsOf } from "./facts-of.ts";

const GUEST = { "/proc/cpuinfo": "processor : 0\nflags : fpu tsc lm hypervisor\n" };
const METAL = { "/proc/cpuinfo": "processor : 0\nflags : fpu tsc lm\n" };
const ARM = { "/proc/cpuinfo": "processor : 0\nCPU architecture: 8\n" };
const CLOCKS = "/sys/devices/system/clocksource/clocksource0/available_clocksource";

function dmi(fields: Readonly<Record<string, string>>): HostTree {
  return Object.fromEntries(
    Object.entries(fields).map(([name, text]) => [`/sys/class/dmi/id/${name}`, `${text}\n`]),
  );
}

describe("virtualizationFacts()", () => {
  test.each<[what: string, tree: HostTree, kind: string]>([
    [
      "a bare machine",
      { ...METAL, ...dmi({ sys_vendor: "Dell Inc.", product_name: "PowerEdge R910" }) },
      "none",
    ],
    [
      "a Nitro guest",
      { ...GUEST, ...dmi({ sys_vendor: "Amazon EC2", product_name: "m7i.large" }) },
      "amazon",
    ],
    [
      "EC2 metal on x86",
      { ...METAL, ...dmi({ sys_vendor: "Amazon EC2", product_name: "m7i.metal-24xl" }) },
      "none",
    ],
    ["EC2 metal on Arm", { ...ARM, ...dmi({ sys_vendor: "Amazon EC2", product_name: "c7g.metal" }) }, "none"],
    [
      "a Graviton guest",
      { ...ARM, ...dmi({ sys_vendor: "Amazon EC2", product_name: "c7g.large" }) },
      "amazon",
    ],
    [
      "QEMU alone",
      { ...GUEST, ...dmi({ sys_vendor: "QEMU", product_name: "Standard PC (Q35 + ICH9, 2009)" }) },
      "qemu",
    ],
    ["QEMU with KVM", { ...GUEST, ...dmi({ sys_vendor: "QEMU" }), [CLOCKS]: "kvm-clock tsc\n" }, "kvm"],
    ["Firecracker", { ...GUEST, [CLOCKS]: "tsc kvm-clock\n" }, "kvm"],
    ["VMware", { ...GUEST, ...dmi({ sys_vendor: "VMware, Inc.", product_name: "VMware7,1" }) }, "vmware"],
    [
      "Hyper-V",
      { ...GUEST, ...dmi({ sys_vendor: "Microsoft Corporation", product_name: "Virtual Machine" }) },
      "hyperv",
    ],
    [
      "Google",
      { ...GUEST, ...dmi({ sys_vendor: "Google", product_name: "Google Compute Engine" }) },
      "google",
    ],
    ["Google's bare metal", { ...METAL, ...dmi({ product_name: "Google Compute Engine" }) }, "none"],
    ["Xen", { ...GUEST, "/sys/hypervisor/type": "xen\n" }, "xen"],
    [
      "Xen's first domain",
      { ...GUEST, "/sys/hypervisor/type": "xen\n", "/proc/xen/capabilities": "control_d\n" },
      "none",
    ],
    ["a guest of nobody known", GUEST, "other"],
    ["nspawn", { ...METAL, "/run/systemd/container": "systemd-nspawn\n" }, "container"],
    ["Docker", { ...GUEST, "/.dockerenv": "", "/proc/2/comm": "node\n" }, "container"],
    ["Podman", { ...GUEST, "/run/.containerenv": "" }, "container"],
    [
      "a machine booted from a container's image",
      { ...GUEST, "/.dockerenv": "", "/proc/2/comm": "kthreadd\n" },
      "other",
    ],
  ])("%s", async (_, tree, kind) => {
    const { virtualization } = await factsOf(tree);
    expect(virtualization.kind).toBe(kind);
    expect(virtualization.because).not.toBe("");
  });
});

describe("cloudFacts()", () => {
  test.each<[what: string, tree: HostTree, provider: string, instanceType: string | null]>([
    ["Nitro", dmi({ sys_vendor: "Amazon EC2", product_name: "p5.48xlarge" }), "aws", "p5.48xlarge"],
    ["Nitro metal", dmi({ sys_vendor: "Amazon EC2", product_name: "i4i.metal" }), "aws", "i4i.metal"],
    ["an odd product name", dmi({ sys_vendor: "Amazon EC2", product_name: "rm -rf" }), "aws", null],
    ["EC2 on Xen", dmi({ sys_vendor: "Xen", bios_version: "4.11.amazon" }), "aws", null],
    ["EC2 on Xen by id", { "/sys/hypervisor/uuid": "ec2b5c1a-0000-0000\n" }, "aws", null],
    ["Google", dmi({ product_name: "Google Compute Engine" }), "gcp", null],
    ["Azure", dmi({ chassis_asset_tag: "7783-7084-3265-9085-8269-3286-77" }), "azure", null],
    [
      "Hyper-V at home",
      dmi({ sys_vendor: "Microsoft Corporation", product_name: "Virtual Machine" }),
      "none",
      null,
    ],
    ["nothing", {}, "none", null],
  ])("%s", async (_, tree, provider, instanceType) => {
    expect((await factsOf(tree)).cloud).toMatchObject({ provider, instanceType });
  });

  test.each([
    ["i-0af01c0123456789a", "i-0af01c0123456789a"],
    ["i-1234abcd", "i-1234abcd"],
    ["Not Specified", undefined],
    ['i-0af"} 1\nother', undefined],
  ])("has the instance's id by the board's asset tag %j", async (board_asset_tag, instanceId) => {
    const tree = dmi({ sys_vendor: "Amazon EC2", product_name: "m7i.large", board_asset_tag });
    expect((await factsOf(tree)).cloud.instanceId).toBe(instanceId);
  });

  test("takes no other vendor's asset tag for an instance's id", async () => {
    const tree = dmi({ sys_vendor: "ACME", board_asset_tag: "i-0af01c0123456789a" });
    expect((await factsOf(tree)).cloud.instanceId).toBeUndefined();
  });
});
