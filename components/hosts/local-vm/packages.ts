import { access, constants, readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { readDebianArchive, renderBackportsSource } from "./apt-sources.ts";
import { LocalVmError } from "./vm-error.ts";

/** A program that the local VM needs on this machine, and the Debian package that brings it. */
export interface HostPart {
  readonly program: string;
  readonly debianPackage: string;
  /** From Debian 12's backports: the release's own QEMU 7.2 has no igb. */
  readonly isFromBackports?: boolean;
}

const QEMU: HostPart = {
  program: "qemu-system-x86_64",
  debianPackage: "qemu-system-x86",
  isFromBackports: true,
};

/** What bringing up a VM runs on this machine. */
export const HOST_PARTS: readonly HostPart[] = [
  QEMU,
  { program: "qemu-img", debianPackage: "qemu-utils", isFromBackports: true },
  { program: "mmdebstrap", debianPackage: "mmdebstrap", isFromBackports: true },
  { program: "busybox", debianPackage: "busybox-static" },
  { program: "dpkg-deb", debianPackage: "dpkg" },
  { program: "iasl", debianPackage: "acpica-tools" },
  { program: "mke2fs", debianPackage: "e2fsprogs" },
  { program: "ssh", debianPackage: "openssh-client" },
  { program: "ssh-keygen", debianPackage: "openssh-client" },
  { program: "xz", debianPackage: "xz-utils" },
];

/** Packages that QEMU from backports wants from there too, and does not always pull in without recommendations. */
const QEMU_COMPANIONS = ["seabios", "ipxe-qemu"];

const INSTALL_TIMEOUT_MILLIS = 900_000;
const BACKPORTS_SOURCE = "/etc/apt/sources.list.d/bedplate-backports.sources";

async function isProgramThere(program: string): Promise<boolean> {
  // sbin too: mke2fs lives there, and it is not on every user's PATH.
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  for (const folder of folders) {
    const isThere = await access(join(folder, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return true;
  }
  return false;
}

/** Does this QEMU emulate igb (QEMU 8 and newer)? */
async function hasIgb(): Promise<boolean> {
  const result = await execa("qemu-system-x86_64", ["-device", "help"], { reject: false, timeout: 30_000 });
  return result.stdout.includes('name "igb"');
}

/** Parts that this machine lacks, or has in a version that cannot do. */
export async function missingParts(): Promise<HostPart[]> {
  const isThere = await Promise.all(HOST_PARTS.map(({ program }) => isProgramThere(program)));
  const missing = HOST_PARTS.filter((_, index) => isThere[index] !== true);
  return missing.includes(QEMU) || (await hasIgb()) ? missing : [QEMU, ...missing];
}

/** Debian's code name of this machine (bookworm); `undefined` elsewhere. */
export async function readCodename(read: (path: string) => Promise<string>): Promise<string | undefined> {
  const text = await read("/etc/os-release").catch(() => "");
  return /^ID="?debian"?$/m.test(text) ? /^VERSION_CODENAME="?(\w+)"?$/m.exec(text)?.[1] : undefined;
}

/** Debian's packages for the parts, each once, in order. */
export function packagesOf(parts: readonly HostPart[]): string[] {
  const names = parts.flatMap((part) =>
    part === QEMU ? [part.debianPackage, ...QEMU_COMPANIONS] : [part.debianPackage],
  );
  return [...new Set(names)];
}

/** The one line that a person runs where we may not install. */
export function installLine(parts: readonly HostPart[], codename: string | undefined): string {
  const packages = packagesOf(parts).join(" ");
  if (codename === undefined) {
    return `install QEMU 8 or newer and these programs: ${parts.map((part) => part.program).join(" ")}`;
  }
  const target = codename === "bookworm" ? ` -t ${codename}-backports` : "";
  const note = codename === "bookworm" ? " (with bookworm-backports in apt's sources)" : "";
  return `sudo apt-get install --no-install-recommends${target} ${packages}${note}`;
}

async function runApt(args: readonly string[]): Promise<void> {
  const result = await execa("apt-get", ["-q", "-y", ...args], {
    env: { DEBIAN_FRONTEND: "noninteractive" },
    reject: false,
    timeout: INSTALL_TIMEOUT_MILLIS,
    stdin: "ignore",
  });
  if (result.failed) {
    throw new LocalVmError(
      "PART_MISSING",
      `Cannot install packages: ${result.shortMessage}\n${result.stderr.slice(-2000)}`,
    );
  }
}

/** Installs the parts' packages with apt; says which first. Debian as root only. */
export async function installPackages(
  parts: readonly HostPart[],
  codename: string,
  progress: (message: string) => void,
): Promise<void> {
  const needsBackports = codename === "bookworm" && parts.some((part) => part.isFromBackports === true);
  progress(
    `installing ${packagesOf(parts).join(" ")}${needsBackports ? ` (QEMU from ${codename}-backports)` : ""}`,
  );
  if (needsBackports) {
    const archive = await readDebianArchive(codename);
    if (archive === undefined) {
      throw new LocalVmError(
        "PART_MISSING",
        "Cannot install QEMU: apt on this machine names no Debian archive",
      );
    }
    await writeFile(BACKPORTS_SOURCE, renderBackportsSource(archive, codename));
  }
  try {
    await runApt(["update"]);
  } catch (error) {
    // A source that this archive does not have would break every later update of this machine.
    if (needsBackports) await rm(BACKPORTS_SOURCE, { force: true });
    throw error;
  }
  const target = needsBackports ? ["-t", `${codename}-backports`] : [];
  const backported = parts.filter((part) => part.isFromBackports === true);
  const others = parts.filter((part) => part.isFromBackports !== true);
  if (backported.length > 0) {
    await runApt(["install", "--no-install-recommends", ...target, ...packagesOf(backported)]);
  }
  if (others.length > 0) await runApt(["install", "--no-install-recommends", ...packagesOf(others)]);
}

/** Makes sure that all parts are there, installing them where this may. @throws {LocalVmError} PART_MISSING with the line to run */
export async function ensureParts(progress: (message: string) => void): Promise<void> {
  const missing = await missingParts();
  if (missing.length === 0) return;
  const codename = await readCodename((path) => readFile(path, "utf8"));
  if (codename === undefined || process.getuid?.() !== 0) {
    const names = missing.map((part) => part.program).join(", ");
    throw new LocalVmError(
      "PART_MISSING",
      `Cannot start a VM without ${names}: ${installLine(missing, codename)}`,
    );
  }
  await installPackages(missing, codename, progress);
  const still = await missingParts();
  if (still.length > 0) {
    throw new LocalVmError(
      "PART_MISSING",
      `Cannot start a VM: ${still.map((part) => part.program).join(", ")} missing after the install`,
    );
  }
}
