import { describe, expect, test } from "vitest";
import { isManagedByDriver, parseInterrupts } from "../../../host-tuning/facts/irqs.ts";
import { busyHost } from "./busy-host.ts";
import { factsOf } from "./facts-of.ts";

describe("parseInterrupts()", () => {
  test("reads the columns of x86, of the chip's new name and of Arm", () => {
    const text = [
      "            CPU0       CPU1       ",
      "   0:         25          0   IO-APIC   2-edge      timer",
      "  24:          0        118   IR-PCI-MSI 524288-edge      nvme0q0",
      "  25:       2112          0  PCI-MSIX-0000:00:03.0   1-edge      virtio0-input.0",
      "  26:       2112          0  ITS-MSI 524289 Edge      mlx5_comp0@pci:0000:01:00.0",
      "  27:          0          0  GICv3  30 Level     arch_timer, second user",
      "  28:          0          0  PCI-MSI 5-edge",
      " NMI:          0          0   Non-maskable interrupts",
      "",
    ].join("\n");
    expect([...parseInterrupts(text)]).toEqual([
      [0, "timer"],
      [24, "nvme0q0"],
      [25, "virtio0-input.0"],
      [26, "mlx5_comp0@pci:0000:01:00.0"],
      [27, "arch_timer, second user"],
    ]);
  });

  test("gives nothing for what it is not", () => {
    expect(parseInterrupts("").size).toBe(0);
    expect(parseInterrupts("junk\n1: 2 3\n").size).toBe(0);
  });
});

describe("isManagedByDriver()", () => {
  test.each([
    ["nvme0q0", "0x010802", false],
    ["nvme0q12", "0x010802", true],
    ["nvme0q0, nvme0q1", "0x010802", null],
    ["virtio1-req.0", undefined, true],
    ["virtio1-request", undefined, true],
    ["virtio1-requests.0", undefined, null],
    ["virtio1-config", undefined, false],
    ["virtio0-input.3", "0x020000", false],
    ["ice-eno1-TxRx-0", "0x020000", false],
    ["megasas0-msix3", "0x010400", null],
    ["ttyS0", undefined, null],
  ])("%s of class %s is %s", (action, pciClass, expected) => {
    expect(isManagedByDriver(action, pciClass)).toBe(expected);
  });
});

describe("readIrqs()", () => {
  test("joins an interrupt with its device, its affinity and what is in force", async () => {
    const { irqs } = await factsOf(busyHost());
    expect(irqs.find(({ irq }) => irq === 41)).toEqual({
      irq: 41,
      action: "nvme0q1",
      pciAddress: "0000:01:00.0",
      node: 0,
      isManaged: true,
      affinity: "0-15",
      effectiveAffinity: "0",
    });
    expect(irqs.map(({ irq }) => irq)).toEqual(irqs.map(({ irq }) => irq).toSorted((a, b) => a - b));
  });

  test("believes debugfs before what is known of drivers", async () => {
    const { irqs } = await factsOf({
      ...busyHost(),
      "/sys/kernel/debug/irq/irqs/40": "dstate:   0x41009200\n            IRQD_AFFINITY_MANAGED\n",
      "/sys/kernel/debug/irq/irqs/41": "dstate:   0x41009200\n            IRQD_ACTIVATED\n",
    });
    expect(irqs.find(({ irq }) => irq === 40)?.isManaged).toBe(true);
    expect(irqs.find(({ irq }) => irq === 41)?.isManaged).toBe(false);
  });

  test("without /sys/kernel/irq takes /proc/interrupts", async () => {
    const { irqs } = await factsOf({
      "/proc/interrupts": "           CPU0\n  9:    0   IO-APIC   9-fasteoi   acpi\n",
      "/proc/irq/9/smp_affinity_list": "0\n",
      "/proc/irq/9/node": "-1\n",
    });
    expect(irqs).toMatchObject([
      { irq: 9, action: "acpi", affinity: "0", node: null, effectiveAffinity: null },
    ]);
  });
});
