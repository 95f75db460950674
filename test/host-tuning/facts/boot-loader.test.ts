import { describe, expect, it } from "vitest";
import { readFacts } from "../../../host-tuning/facts/read-facts.ts";
import type { HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { type HostTree, createHostRoot } from "../../helpers/host-root.ts";
import { stockHost } from "../../helpers/stock-host.ts";
import {
  AMAZON_2023,
  DEBIAN_12,
  FEDORA_SYSTEMD_BOOT,
  RHEL_9,
  SUPPORTED,
  UBUNTU,
} from "../boot-loader/loader-trees.ts";

async function loaderOf(tree: HostTree): Promise<HostFacts["bootLoader"]> {
  await using host = await createHostRoot(tree);
  return (await readFacts(openHost(host.root))).bootLoader;
}

function without(tree: HostTree, path: string): HostTree {
  return Object.fromEntries(Object.entries(tree).filter(([name]) => name !== path));
}

describe("readBootLoader()", () => {
  it.each(SUPPORTED)("%s: %s", async (_, loader, tree) => {
    expect((await loaderOf(tree)).kind).toBe(loader);
  });

  it.each<[what: string, tree: HostTree, because: RegExp]>([
    ["a kernel that QEMU started", stockHost(), /started directly/],
    [
      "GRUB that did not start this kernel",
      { ...DEBIAN_12, "/proc/cmdline": "console=ttyS0 root=/dev/vda\n" },
      /GRUB is installed .* no BOOT_IMAGE=/,
    ],
    [
      "systemd-boot beside GRUB that started the kernel",
      { ...FEDORA_SYSTEMD_BOOT, "/proc/cmdline": "BOOT_IMAGE=/vmlinuz root=/dev/vda\n" },
      /GRUB started this kernel/,
    ],
    ["two loaders", { ...UBUNTU, ...FEDORA_SYSTEMD_BOOT }, /several boot loaders .*grub .*systemd-boot/],
    ["rpm-ostree", { ...RHEL_9, "/run/ostree-booted": "" }, /rpm-ostree/],
    [
      "rpm-ostree by its command line",
      { ...RHEL_9, "/proc/cmdline": "BOOT_IMAGE=/ostree/vmlinuz ostree=/ostree/boot.1/x\n" },
      /rpm-ostree/,
    ],
    [
      "Bottlerocket",
      { ...AMAZON_2023, "/etc/os-release": 'ID=bottlerocket\nVERSION_ID="1.49.0"\n' },
      /Bottlerocket/,
    ],
    [
      "a unified kernel image",
      { ...without(FEDORA_SYSTEMD_BOOT, "/etc/kernel/cmdline"), "/efi/EFI/Linux/fedora-6.17.efi": "MZ" },
      /several .*sealed/,
    ],
    ["a unified kernel image alone", { "/boot/EFI/Linux/fedora-6.17.efi": "MZ" }, /^unified kernel image/],
    ["extlinux", { "/boot/extlinux/extlinux.conf": "LABEL linux\n" }, /^extlinux/],
    [
      "GRUB of a distribution that reads no drop-ins",
      {
        ...without(without(DEBIAN_12, "/usr/sbin/update-grub"), "/etc/os-release"),
        "/etc/os-release": 'ID="opensuse-leap"\nPRETTY_NAME="openSUSE Leap 15.6"\n',
      },
      /GRUB of \/boot\/grub\/grub.cfg on openSUSE Leap 15.6: neither/,
    ],
  ])("%s is unsupported, by name", async (_, tree, because) => {
    const loader = await loaderOf(tree);
    expect(loader.kind).toBe("unsupported");
    expect(loader.because).toMatch(because);
  });
});
