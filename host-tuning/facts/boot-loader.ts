import { parseCommandLine } from "../boot-loader/command-line.ts";
import { ENTRY_FOLDERS, GRUB_DEFAULTS } from "../boot-loader/entry-files.ts";
import { GRUB_CONFIG } from "../boot-loader/grub-config.ts";
import type { FactReader } from "./fact-reader.ts";
import type { HostFacts } from "./host-facts.ts";

type BootLoader = HostFacts["bootLoader"];

/** Where the EFI system partition is mounted, as a rule. */
const EFI_FOLDERS = ["/efi", "/boot/efi", "/boot"] as const;

const RED_HAT_GRUB_CONFIG = "/boot/grub2/grub.cfg";

/** Files that say by themselves which loader is at work, of loaders whose arguments are not written here. */
const OTHER_LOADERS: readonly (readonly [path: string, name: string])[] = [
  ["/boot/extlinux/extlinux.conf", "extlinux"],
  ["/boot/syslinux/syslinux.cfg", "syslinux"],
  ["/boot/firmware/cmdline.txt", "Raspberry Pi firmware"],
  ["/boot/cmdline.txt", "Raspberry Pi firmware"],
  ["/boot/grub/menu.lst", "GRUB legacy"],
  ["/etc/lilo.conf", "LILO"],
  ["/etc/zipl.conf", "zipl"],
];

function unsupported(because: string): BootLoader {
  return { kind: "unsupported", because };
}

/**
 * Which boot loader starts this host, so where its kernel's arguments live. From files alone, and from the running
 * command line against them: GRUB says BOOT_IMAGE= there. Several loaders, or none that we know, are told and not
 * guessed, since arguments in a file that nobody boots from would wait forever for a reboot to bring them.
 *
 * @see https://uapi-group.org/specifications/specs/boot_loader_specification/
 */
export async function readBootLoader(
  reader: FactReader,
  commandLine: string | null,
  distribution: HostFacts["distribution"],
): Promise<BootLoader> {
  const running = commandLine === null ? undefined : parseCommandLine(commandLine);
  if (distribution?.id === "bottlerocket")
    return unsupported("Bottlerocket: its settings API owns the kernel's arguments (settings.boot)");
  const isOstree = running?.some(({ name }) => name === "ostree") === true;
  if (isOstree || (await reader.exists("/run/ostree-booted")))
    return unsupported(
      "an image-based system (rpm-ostree, bootc): rpm-ostree kargs owns the kernel's arguments",
    );

  const entries = await readEntryPaths(reader);
  const found = [
    ...(await grubOf(reader, entries, distribution)),
    ...(await systemdBootOf(reader, entries)),
    ...(await sealedKernels(reader)),
    ...(await otherLoaders(reader)),
  ];
  const [first, ...others] = found;
  if (first === undefined) {
    return unsupported(
      "no file of a boot loader found: the kernel is started directly (QEMU -kernel, a hypervisor's or cloud's own loader), or /boot is not readable",
    );
  }
  if (others.length > 0)
    return unsupported(`several boot loaders found, and none is guessed: ${found.map(nameOf).join("; ")}`);
  return (
    contradiction(
      first,
      running?.map(({ name }) => name),
    ) ?? first
  );
}

function nameOf({ kind, because }: BootLoader): string {
  return kind === "unsupported" ? because : `${kind} (${because})`;
}

/** The running command line against what the files say. */
function contradiction(loader: BootLoader, names: readonly string[] | undefined): BootLoader | undefined {
  if (names === undefined || loader.kind === "unsupported") return undefined;
  const isFromGrub = names.includes("BOOT_IMAGE");
  if (loader.kind === "systemd-boot") {
    return isFromGrub
      ? unsupported(
          `systemd-boot is installed (${loader.because}), but GRUB started this kernel (BOOT_IMAGE=)`,
        )
      : undefined;
  }
  return isFromGrub
    ? undefined
    : unsupported(
        `GRUB is installed (${loader.because}), but did not start this kernel: its command line has no BOOT_IMAGE=`,
      );
}

async function readEntryPaths(reader: FactReader): Promise<string[]> {
  const lists = await Promise.all(
    ENTRY_FOLDERS.map(async (folder) =>
      (await reader.entries(folder))
        .filter((name) => name.endsWith(".conf"))
        .map((name) => `${folder}/${name}`),
    ),
  );
  return lists.flat();
}

async function grubOf(
  reader: FactReader,
  entries: readonly string[],
  distribution: HostFacts["distribution"],
): Promise<BootLoader[]> {
  const [debian, redHat, defaults] = await Promise.all([
    reader.text(GRUB_CONFIG),
    reader.text(RED_HAT_GRUB_CONFIG),
    reader.text(GRUB_DEFAULTS),
  ]);
  const [path, text] = redHat === undefined ? [GRUB_CONFIG, debian] : [RED_HAT_GRUB_CONFIG, redHat];
  const asksForEntries = /^\s*GRUB_ENABLE_BLSCFG=["']?true/m.test(defaults ?? "");
  if (text === undefined && !(asksForEntries && entries.length > 0)) return [];
  if (asksForEntries || /^\s*blscfg\b/m.test(text ?? "")) {
    const [entry] = entries;
    return entry === undefined
      ? [unsupported(`GRUB of ${path} boots from entries, and /boot/loader/entries has none`)]
      : [{ kind: "grub-bls", because: `GRUB that boots from entries as ${entry}` }];
  }
  if (path === GRUB_CONFIG && (await reader.exists("/usr/sbin/update-grub")))
    return [{ kind: "grub", because: `${GRUB_CONFIG} and update-grub` }];
  return [
    unsupported(
      `GRUB of ${path} on ${distribution?.prettyName ?? "this distribution"}: neither boot loader entries nor Debian's update-grub, so no file of ours would be read`,
    ),
  ];
}

async function systemdBootOf(reader: FactReader, entries: readonly string[]): Promise<BootLoader[]> {
  for (const folder of EFI_FOLDERS) {
    const program = (await reader.entries(`${folder}/EFI/systemd`)).find((name) =>
      /^systemd-boot\w+\.efi$/.test(name),
    );
    if (program === undefined) continue;
    const path = `${folder}/EFI/systemd/${program}`;
    const [entry] = entries;
    return entry === undefined ? [] : [{ kind: "systemd-boot", because: `${path} and entries as ${entry}` }];
  }
  return [];
}

/** The command line is inside a unified kernel image and, with Secure Boot, signed. */
async function sealedKernels(reader: FactReader): Promise<BootLoader[]> {
  for (const folder of EFI_FOLDERS) {
    const image = (await reader.entries(`${folder}/EFI/Linux`)).find((name) => name.endsWith(".efi"));
    if (image !== undefined)
      return [
        unsupported(`unified kernel image ${folder}/EFI/Linux/${image}: its command line is sealed in it`),
      ];
  }
  return [];
}

async function otherLoaders(reader: FactReader): Promise<BootLoader[]> {
  const found = await Promise.all(
    OTHER_LOADERS.map(async ([path, name]) =>
      (await reader.exists(path)) ? `${name} (${path})` : undefined,
    ),
  );
  return found.filter((name) => name !== undefined).map((name) => unsupported(name));
}
