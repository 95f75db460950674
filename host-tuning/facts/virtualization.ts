import type { CpuInfo } from "./cpu-info.ts";
import type { DmiReading } from "./dmi.ts";
import type { FactReader } from "./fact-reader.ts";
import type { HostFacts } from "./host-facts.ts";

type Virtualization = HostFacts["virtualization"];

export interface VirtualizationReading {
  /** Why this is a container, or `undefined`. */
  readonly container: string | undefined;
  /** /sys/hypervisor/type: only Xen fills it. */
  readonly hypervisorType: string | undefined;
  readonly hypervisorUuid: string | undefined;
  /** Xen's first domain, which runs on the bare machine. */
  readonly isXenHost: boolean;
  readonly clocksources: readonly string[];
}

/** Vendor or product strings and the hypervisor they stand for, in systemd-detect-virt's order. */
const DMI_SIGNS: readonly (readonly [sign: RegExp, kind: Virtualization["kind"]])[] = [
  [/^(KVM|OpenStack|KubeVirt)/, "kvm"],
  [/^Amazon EC2/, "amazon"],
  [/^QEMU/, "qemu"],
  [/^(VMware|VMW)/, "vmware"],
  [/^(innotek GmbH|VirtualBox|Oracle Corporation)/, "other"],
  [/^Xen/, "xen"],
  [/^(Bochs|Parallels|BHYVE|Apple Virtualization)/, "other"],
  [/^(Microsoft Corporation.*Virtual Machine|Hyper-V)/, "hyperv"],
  [/^Google Compute Engine/, "google"],
];

/**
 * Reads the signs of a hypervisor or a container: /run/systemd/container and the marker files of Docker and Podman,
 * /sys/hypervisor, /proc/xen/capabilities, and the clock sources (a KVM guest on x86 has kvm-clock).
 *
 * @see https://www.kernel.org/doc/Documentation/ABI/stable/sysfs-hypervisor-xen
 * @see https://systemd.io/CONTAINER_INTERFACE/
 */
export async function readVirtualization(reader: FactReader): Promise<VirtualizationReading> {
  const [manager, isDocker, isPodman, secondProcess, type, uuid, capabilities, clocksources] =
    await Promise.all([
      reader.label("/run/systemd/container"),
      reader.exists("/.dockerenv"),
      reader.exists("/run/.containerenv"),
      reader.line("/proc/2/comm"),
      reader.label("/sys/hypervisor/type"),
      reader.label("/sys/hypervisor/uuid"),
      reader.label("/proc/xen/capabilities"),
      reader.label("/sys/devices/system/clocksource/clocksource0/available_clocksource"),
    ]);
  let container: string | undefined;
  if (manager !== undefined) container = `/run/systemd/container says "${manager}"`;
  // A machine image made from a container's keeps the marker file; the kernel's own threads are seen on the host alone.
  else if (secondProcess === "kthreadd") container = undefined;
  else if (isDocker) container = "/.dockerenv exists";
  else if (isPodman) container = "/run/.containerenv exists";
  return {
    container,
    hypervisorType: type,
    hypervisorUuid: uuid,
    isXenHost: capabilities?.includes("control_d") === true,
    clocksources: clocksources?.split(/\s+/) ?? [],
  };
}

function bySign(dmi: DmiReading): { kind: Virtualization["kind"]; because: string } | undefined {
  const texts = [
    dmi.product_name,
    `${dmi.sys_vendor} ${dmi.product_name}`,
    dmi.sys_vendor,
    dmi.board_vendor,
    dmi.bios_vendor,
  ];
  for (const text of texts) {
    const found = DMI_SIGNS.find(([sign]) => sign.test(text));
    if (found !== undefined) return { kind: found[1], because: `DMI says "${text.trim()}"` };
  }
  return undefined;
}

/**
 * What this host runs on. A container hides the machine beneath it, so that comes first. On x86 every hypervisor sets
 * the `hypervisor` CPU flag: without it a vendor string (AWS and Google print theirs on bare metal too) means nothing.
 *
 * QEMU with and without KVM print the same strings; kvm-clock tells them apart on x86. Pure.
 */
export function virtualizationFacts(
  reading: VirtualizationReading,
  dmi: DmiReading,
  info: CpuInfo,
  architecture: string,
): Virtualization {
  if (reading.container !== undefined) return { kind: "container", because: reading.container };
  if (reading.isXenHost) return { kind: "none", because: "Xen's first domain, on the bare machine" };
  if (reading.hypervisorType === "xen") return { kind: "xen", because: '/sys/hypervisor/type says "xen"' };
  const isX86 = architecture === "x86_64" || /^i[3-6]86$/.test(architecture);
  const hasFlag = info.flags.has("hypervisor");
  const sign = bySign(dmi);
  if (isX86 && !hasFlag) {
    return {
      kind: "none",
      because: `The CPU has no hypervisor flag${sign === undefined ? "" : `, though ${sign.because}`}`,
    };
  }
  if (sign?.kind === "amazon" && /\.metal/.test(dmi.product_name)) {
    return { kind: "none", because: `DMI product "${dmi.product_name}" is a bare-metal type` };
  }
  const hasKvmClock = reading.clocksources.includes("kvm-clock");
  if (hasKvmClock && (sign === undefined || sign.kind === "qemu")) {
    return { kind: "kvm", because: "The kernel offers kvm-clock" };
  }
  if (sign !== undefined) return sign;
  if (hasFlag) return { kind: "other", because: "The CPU has the hypervisor flag, and nothing says whose" };
  return { kind: "none", because: "Nothing in DMI, CPU flags or /sys/hypervisor says otherwise" };
}
