import { createHash } from "node:crypto";
import type { ImageOptions } from "../vm-spec.ts";
import { CLOUD_INIT_STAGE_FILES } from "./cloud-init-stages.ts";

/** Everything that decides what is in an image. Its digest names the image in the cache. */
export interface ImageRecipe {
  /** Raised when the builder itself makes something else of the same recipe. */
  readonly builderVersion: number;
  readonly suite: "bookworm" | "trixie";
  readonly rootSizeMiB: number;
  readonly packages: readonly string[];
  readonly maskedUnits: readonly string[];
  readonly blacklistedModules: readonly string[];
  /** Kernel module folders and files that are kept, relative to /lib/modules/<release>/kernel. */
  readonly moduleFolders: readonly string[];
  /** Modules that the initrd loads to reach the root disk. */
  readonly initrdModules: readonly string[];
  readonly files: readonly ImageFile[];
  readonly removedFiles: readonly string[];
  /** GRUB on a disk of its own that boots the kernel in the root's /boot; absent: QEMU starts the kernel. */
  readonly bootLoader?: "grub";
}

export interface ImageFile {
  readonly path: string;
  readonly text: string;
  readonly mode?: number;
}

const PACKAGES = [
  "ca-certificates",
  "cloud-init",
  "curl",
  "dbus",
  "ethtool",
  "iproute2",
  "kmod",
  "libatomic1",
  "nvme-cli",
  "numactl",
  "openssh-server",
  "pciutils",
  "procps",
  "systemd-sysv",
  "udev",
  "util-linux",
  "zstd",
];

/** Units that cost seconds under software emulation and that a VM of a few minutes does not miss. */
const MASKED_UNITS = [
  "apt-daily-upgrade.timer",
  "apt-daily.timer",
  "cloud-init-hotplugd.socket",
  "dpkg-db-backup.timer",
  "e2scrub_all.timer",
  "e2scrub_reap.service",
  "fstrim.timer",
  "getty-static.service",
  "getty.target",
  "getty@tty1.service",
  "ldconfig.service",
  "modprobe@dm_mod.service",
  "modprobe@drm.service",
  "modprobe@fuse.service",
  "modprobe@loop.service",
  "nvmefc-boot-connections.service",
  "nvmf-autoconnect.service",
  "proc-sys-fs-binfmt_misc.automount",
  "serial-getty@ttyS0.service",
  "sys-fs-fuse-connections.mount",
  "sys-kernel-tracing.mount",
  "systemd-ask-password-console.path",
  "systemd-ask-password-wall.path",
  "systemd-binfmt.service",
  "systemd-firstboot.service",
  "systemd-hwdb-update.service",
  "systemd-journal-catalog-update.service",
  "systemd-journal-flush.service",
  "systemd-logind.service",
  "systemd-machine-id-commit.service",
  "systemd-pstore.service",
  "systemd-timesyncd.service",
  "systemd-update-done.service",
  "systemd-update-utmp-runlevel.service",
  "systemd-update-utmp.service",
  "uuidd.socket",
];

/** Drivers whose start-up self-tests or probing are slow in emulation and that nothing in the VM uses. */
const BLACKLISTED_MODULES = [
  "aesni_intel",
  "ahci",
  "cfg80211",
  "crc32_pclmul",
  "crct10dif_pclmul",
  "evdev",
  "ghash_clmulni_intel",
  "i2c_i801",
  "iTCO_wdt",
  "joydev",
  "kvm",
  "kvm_amd",
  "kvm_intel",
  "lpc_ich",
  "pcspkr",
  "psmouse",
  "qemu_fw_cfg",
  "serio_raw",
  "sha1_ssse3",
  "sha256_ssse3",
  "sha512_ssse3",
  "sp5100_tco",
];

const MODULE_FOLDERS = [
  "arch",
  "block",
  "crypto",
  "drivers/acpi",
  "drivers/ata",
  "drivers/block",
  "drivers/char",
  "drivers/cpufreq",
  "drivers/cpuidle",
  "drivers/dax",
  "drivers/dca",
  "drivers/edac",
  "drivers/hwmon",
  "drivers/i2c/algos",
  "drivers/i2c/i2c-core.ko",
  "drivers/idle",
  "drivers/infiniband/core",
  "drivers/infiniband/sw",
  "drivers/iommu",
  "drivers/md",
  "drivers/net/bonding",
  "drivers/net/dummy.ko",
  "drivers/net/ethernet/intel",
  "drivers/net/ifb.ko",
  "drivers/net/mdio",
  "drivers/net/net_failover.ko",
  "drivers/net/phy",
  "drivers/net/tun.ko",
  "drivers/net/veth.ko",
  "drivers/net/virtio_net.ko",
  "drivers/nvdimm",
  "drivers/nvme",
  "drivers/pci",
  "drivers/platform/x86",
  "drivers/powercap",
  "drivers/pps",
  "drivers/ptp",
  "drivers/rtc",
  "drivers/scsi",
  "drivers/thermal",
  "drivers/uio",
  "drivers/vfio",
  "drivers/virtio",
  "fs/9p",
  "fs/autofs",
  "fs/configfs",
  "fs/ext4",
  "fs/fat",
  "fs/fscache",
  "fs/fuse",
  "fs/jbd2",
  "fs/mbcache.ko",
  "fs/netfs",
  "fs/nls",
  "fs/overlayfs",
  "fs/squashfs",
  "fs/xfs",
  "lib",
  "mm",
  "net",
  "virt",
];

/**
 * cloud-init with the real program and the real stages, but only the modules that a host's user data uses: each
 * module costs an import, and the defaults (locale, apt, ntp, ubuntu-advantage, growpart...) cost seconds here.
 */
const CLOUD_CONFIG = `# NoCloud only: no probing for other clouds. ds-identify takes a list of one as the answer.
datasource_list: [NoCloud]
datasource:
  NoCloud:
    fs_label: cidata
disable_root: false
# Logins come with the seed; a name is needed for the schema, and this one is there already.
users:
  - name: root
    lock_passwd: false
ssh_pwauth: false
ssh_publish_hostkeys:
  enabled: false
system_info:
  distro: debian
  network:
    renderers: [networkd]
cloud_init_modules: [bootcmd, write-files, disk_setup, mounts, set_hostname, ca-certs, users-groups, ssh]
cloud_config_modules: [ntp, timezone, runcmd]
cloud_final_modules: [scripts-vendor, scripts-per-once, scripts-per-boot, scripts-per-instance, scripts-user, final-message]
`;

/** Devices whose events start no program and load no driver; half of a boot's events are of these. */
const QUIET_SUBSYSTEMS = ["bdi", "clockevents", "machinecheck", "mem", "memory", "tty", "vc", "workqueue"];

const UDEV_TRIGGER = `[Service]
ExecStart=
ExecStart=-udevadm trigger --type=subsystems --action=add
ExecStart=-udevadm trigger --type=devices --action=add ${QUIET_SUBSYSTEMS.map((name) => `--subsystem-nomatch=${name}`).join(" ")}
`;

const FILES: readonly ImageFile[] = [
  { path: "/etc/hostname", text: "bedplate-vm\n" },
  { path: "/etc/hosts", text: "127.0.0.1 localhost\n127.0.1.1 bedplate-vm\n::1 localhost\n" },
  { path: "/etc/fstab", text: "/dev/vda / ext4 defaults,noatime 0 0\n" },
  { path: "/etc/cloud/cloud.cfg.d/90-bedplate.cfg", text: CLOUD_CONFIG },
  {
    path: "/etc/systemd/journald.conf.d/bedplate.conf",
    text: "[Journal]\nStorage=volatile\n",
  },
  {
    path: "/etc/ssh/sshd_config.d/bedplate.conf",
    text: "UsePAM no\nPasswordAuthentication no\nUseDNS no\nMaxSessions 50\nPrintMotd no\n",
  },
  { path: "/etc/systemd/system/systemd-udev-trigger.service.d/bedplate.conf", text: UDEV_TRIGGER },
  {
    path: "/etc/systemd/system/systemd-networkd-wait-online.service.d/bedplate.conf",
    text: "[Service]\nExecStart=\nExecStart=/lib/systemd/systemd-networkd-wait-online --any --timeout=60\n",
  },
];

/** The image that local VMs boot. */
export const LOCAL_IMAGE: ImageRecipe = {
  builderVersion: 1,
  suite: "bookworm",
  rootSizeMiB: 4096,
  packages: PACKAGES,
  maskedUnits: MASKED_UNITS,
  blacklistedModules: BLACKLISTED_MODULES,
  moduleFolders: MODULE_FOLDERS,
  initrdModules: ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4"],
  files: [...CLOUD_INIT_STAGE_FILES, ...FILES],
  // Looks for the data source with blkid and friends before systemd starts; the list above has the answer.
  removedFiles: ["/usr/lib/cloud-init/ds-identify"],
};

/** What update-grub is made of; the package that would install GRUB on the building machine's disk is not among them. */
const GRUB_PACKAGES = ["grub-common", "grub-pc-bin", "grub2-common"];

/** The image of a VM's options; what every image has stays first, so that no options at all are LOCAL_IMAGE. */
export function recipeOf(options: ImageOptions): ImageRecipe {
  const { suite, extraPackages, extraModuleFolders, bootLoader } = options;
  return {
    ...LOCAL_IMAGE,
    suite,
    packages: withMore(LOCAL_IMAGE.packages, [
      ...extraPackages,
      ...(bootLoader === "grub" ? GRUB_PACKAGES : []),
    ]),
    moduleFolders: withMore(LOCAL_IMAGE.moduleFolders, extraModuleFolders),
    // From Debian 13 on, cloud-init keeps one interpreter for its stages by itself, and does not start without ds-identify.
    ...(suite === "bookworm" ? {} : { files: FILES, removedFiles: [] }),
    ...(bootLoader === "grub" ? { bootLoader } : {}),
  };
}

/** Order and repetition of what is added make no other image. */
function withMore(all: readonly string[], more: readonly string[]): readonly string[] {
  return [...all, ...new Set(more.filter((name) => !all.includes(name)).toSorted())];
}

/** Name of a recipe's image in the cache. */
export function recipeDigest(recipe: ImageRecipe): string {
  return createHash("sha256").update(JSON.stringify(recipe)).digest("hex");
}
