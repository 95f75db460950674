import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type QemuMachine, renderQemuArguments } from "../../../../components/hosts/local-vm/qemu-command.ts";
import { localVmSpecSchema } from "../../../../components/hosts/local-vm/vm-spec.ts";

const GOLDEN = join(import.meta.dirname, "../../../golden/local-vm");

const machine = (spec: object = {}, more: Partial<QemuMachine> = {}): QemuMachine => ({
  id: "4f1f1a86-6a5d-4f9c-9a1e-0d5f2a7c3b10",
  spec: localVmSpecSchema.parse({ name: "lab", userData: "#cloud-config\n", ...spec }),
  accelerator: "tcg",
  vmlinux: "/cache/vmlinux",
  initrd: "/cache/initrd.cpio",
  seedFolder: "/vms/lab/seed",
  artifactsFolder: "/vms/lab/artifacts",
  busybox: "/bin/busybox",
  sshPort: 40_022,
  servicePort: 40_080,
  ssdt: "cpufreq.aml",
  ...more,
});

/** Value of an option that is there once. */
const valueOf = (args: readonly string[], option: string): string | undefined =>
  args[args.indexOf(option) + 1];
const matching = (args: readonly string[], pattern: RegExp): string[] =>
  args.filter((arg) => pattern.test(arg));

describe("renderQemuArguments()", () => {
  test("renders the default machine as in the golden file", async () => {
    await expect(`${renderQemuArguments(machine()).join("\n")}\n`).toMatchFileSnapshot(
      join(GOLDEN, "default.txt"),
    );
  });

  test("splits CPUs and memory evenly over the nodes", () => {
    const args = renderQemuArguments(machine({ cpus: 8, numaNodes: 4, memoryMiB: 4096 }));
    expect(valueOf(args, "-smp")).toBe("8,sockets=4,cores=2,threads=1");
    expect(matching(args, /^memory-backend-ram/)).toHaveLength(4);
    expect(matching(args, /^memory-backend-ram/)[3]).toBe("memory-backend-ram,id=mem3,size=1024M");
    expect(matching(args, /^dist,/)).toHaveLength(6);
  });

  test("puts each disk behind the expander of its node and the NIC on the last node", () => {
    const args = renderQemuArguments(machine({ nvmeDisks: [{ numaNode: 1 }, { numaNode: 0 }] }));
    expect(matching(args, /id=nvmeport0,/)[0]).toContain("bus=pxb1");
    expect(matching(args, /id=nvmeport1,/)[0]).toContain("bus=pxb0");
    expect(matching(args, /id=nicport/)[0]).toContain("bus=pxb1");
    expect(matching(args, /^igb,/)).toHaveLength(1);
  });

  test("gives a dual-port disk two controllers on one medium, and others one", () => {
    const args = renderQemuArguments(
      machine({ nvmeDisks: [{ numaNode: 0 }, { numaNode: 1, controllers: 2 }] }),
    );
    expect(matching(args, /^nvme-subsys,/)).toEqual(["nvme-subsys,id=nvmesubsys1,nqn=bedplate1"]);
    const controllers = matching(args, /^nvme,/);
    expect(controllers).toHaveLength(3);
    expect(controllers.filter((text) => text.includes("subsys=nvmesubsys1"))).toHaveLength(2);
    const [first, second] = matching(args, /^nvme-ns,/);
    expect(first).not.toContain("shared=on");
    expect(second).toContain("shared=on");
  });

  test("never opens a port beyond loopback nor a way out but the artifacts", () => {
    const [netdev = ""] = matching(renderQemuArguments(machine()), /^user,/);
    const parts = netdev.split(",");
    expect(parts).toContain("restrict=on");
    expect(parts.filter((part) => part.startsWith("hostfwd="))).toEqual([
      "hostfwd=tcp:127.0.0.1:40022-:22",
      "hostfwd=tcp:127.0.0.1:40080-:8080",
    ]);
    expect(parts.filter((part) => part.startsWith("guestfwd="))).toHaveLength(1);
  });

  test("keeps folders with commas, quotes and blanks in one argument", () => {
    const args = renderQemuArguments(
      machine({}, { seedFolder: "/a b,c/seed", artifactsFolder: "/a b,c'd/artifacts" }),
    );
    expect(matching(args, /id=seed/)[0]).toContain("dir=/a b,,c/seed,");
    expect(matching(args, /^user,/)[0]).toContain(String.raw`'/a b,,c'\''d/artifacts'`);
  });

  test("puts the spec's kernel arguments last, where they win", () => {
    const args = renderQemuArguments(machine({ kernelArguments: ["audit=1", "isolcpus=managed_irq,2-3"] }));
    expect(valueOf(args, "-append")).toMatch(/ audit=0 .* audit=1 isolcpus=managed_irq,2-3$/);
  });

  test("takes KVM with the host's CPU, and virtio where no SR-IOV NIC is wanted", () => {
    const args = renderQemuArguments(machine({ sriovNic: false }, { accelerator: "kvm", ssdt: undefined }));
    expect(valueOf(args, "-accel")).toBe("kvm");
    expect(valueOf(args, "-cpu")).toBe("host");
    expect(matching(args, /^virtio-net-pci,/)).toHaveLength(1);
    expect(args).not.toContain("-acpitable");
  });
});
