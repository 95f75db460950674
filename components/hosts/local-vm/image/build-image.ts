import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type ExecaError, execa } from "execa";
import { type DebianArchive, sourceLines } from "../apt-sources.ts";
import { LocalVmError } from "../vm-error.ts";
import { buildInitrd, buildProbeInitrd } from "./initrd.ts";
import { installGrub } from "./grub-disk.ts";
import type { ImageRecipe } from "./recipe.ts";
import { extractVmlinux } from "./vmlinux.ts";

/** Files of a built image, all in one folder. */
export const IMAGE_FILES = {
  rootDisk: "root.qcow2",
  vmlinux: "vmlinux",
  initrd: "initrd.cpio",
  probeInitrd: "probe-initrd.cpio",
} as const;

/** Only in images whose recipe has a boot loader. */
export const GRUB_DISK = "grub.img";

export interface BuildOptions {
  /** Empty folder to build in; ends with IMAGE_FILES in it and nothing else. */
  readonly folder: string;
  readonly archive: DebianArchive;
  /** apt.conf text on how archives are reached; not kept in the image. */
  readonly aptTransport: string;
  readonly progress: (message: string) => void;
}

export interface BuiltImage {
  readonly kernelRelease: string;
  /** Installed packages as name=version, the image's bill of materials. */
  readonly packages: readonly string[];
}

const STEP_TIMEOUT_MILLIS = 900_000;

/** Runs a builder's tool. Low priority: it shares the machine with VMs that count seconds. @throws {LocalVmError} IMAGE_BUILD */
async function run(tool: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  try {
    const result = await execa(tool, [...args], {
      env: { LC_ALL: "C.UTF-8", DEBIAN_FRONTEND: "noninteractive", ...env },
      timeout: STEP_TIMEOUT_MILLIS,
      stdin: "ignore",
    });
    return result.stdout;
  } catch (cause) {
    const { shortMessage, stderr } = cause as ExecaError;
    const tail = String(stderr ?? "")
      .trim()
      .split("\n")
      .slice(-12)
      .join("\n");
    throw new LocalVmError("IMAGE_BUILD", `Cannot build the VM image: ${shortMessage}\n${tail}`, { cause });
  }
}

async function bootstrapRoot(recipe: ImageRecipe, root: string, options: BuildOptions): Promise<void> {
  const aptConf = join(options.folder, "apt-transport.conf");
  await writeFile(aptConf, options.aptTransport);
  const excluded = ["man", "doc", "locale", "info", "lintian"].map(
    (folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`,
  );
  await run("mmdebstrap", [
    "--quiet",
    "--mode=root",
    "--variant=apt",
    "--architectures=amd64",
    // The lists are used once more, for the kernel.
    "--skip=cleanup/apt/lists",
    `--aptopt=${aptConf}`,
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=force-unsafe-io",
    ...excluded,
    `--include=${recipe.packages.join(",")}`,
    recipe.suite,
    root,
    ...sourceLines(options.archive, recipe.suite),
  ]);
}

/**
 * Fetches and unpacks the newest kernel of the suite. It is not installed as a package: that would build an initramfs,
 * which takes longer than all the rest.
 */
async function unpackKernel(
  root: string,
  folder: string,
): Promise<{ readonly tree: string; readonly deb: string }> {
  const download = join(folder, "kernel-deb");
  const tree = join(folder, "kernel");
  await mkdir(join(download, "partial"), { recursive: true });
  // This machine's apt with the image's lists: how archives are reached stays this machine's business.
  const apt = Object.entries({
    "Dir::Etc::SourceList": join(root, "etc/apt/sources.list"),
    "Dir::Etc::SourceParts": join(root, "etc/apt/sources.list.d"),
    "Dir::State": join(root, "var/lib/apt"),
    "Dir::State::Status": join(root, "var/lib/dpkg/status"),
    "Dir::Cache": download,
    "APT::Architecture": "amd64",
    "APT::Sandbox::User": "root",
  }).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  const depends = await run("apt-cache", [...apt, "depends", "linux-image-amd64"]);
  const name = /Depends: (linux-image-\d\S*)/.exec(depends)?.[1];
  if (name === undefined) {
    throw new LocalVmError(
      "IMAGE_BUILD",
      `Cannot build the VM image: linux-image-amd64 depends on no kernel:\n${depends}`,
    );
  }
  await run("apt-get", [...apt, "--yes", "--download-only", "--no-install-recommends", "install", name]);
  const archives = join(download, "archives");
  const deb = (await readdir(archives)).find((file) => file.startsWith(`${name}_`));
  if (deb === undefined) {
    throw new LocalVmError("IMAGE_BUILD", `Cannot build the VM image: apt fetched no ${name}`);
  }
  await run("dpkg-deb", ["--extract", join(archives, deb), tree]);
  return { tree, deb: basename(deb, ".deb") };
}

/** Moves the modules that the recipe keeps into the root. Returns the kernel's release. */
async function installModules(recipe: ImageRecipe, tree: string, root: string): Promise<string> {
  const parents = [join(tree, "lib/modules"), join(tree, "usr/lib/modules")];
  for (const parent of parents) {
    const release = (await readdir(parent).catch(() => []))[0];
    if (release === undefined) continue;
    const from = join(parent, release);
    const to = join(root, "usr/lib/modules", release);
    await mkdir(to, { recursive: true });
    for (const file of await readdir(from)) {
      if (/^modules\.(builtin|order)/.test(file)) await rename(join(from, file), join(to, file));
    }
    for (const kept of recipe.moduleFolders) {
      const parentFolder = join(from, "kernel", dirname(kept));
      // A file keeps its name in the recipe whatever the release packs it with: dummy.ko, dummy.ko.xz.
      for (const file of await readdir(parentFolder).catch(() => [])) {
        if (file !== basename(kept) && file.replace(/\.(xz|zst|gz)$/, "") !== basename(kept)) continue;
        await mkdir(join(to, "kernel", dirname(kept)), { recursive: true });
        await rename(join(parentFolder, file), join(to, "kernel", dirname(kept), file));
      }
    }
    await run("chroot", [root, "depmod", release]);
    return release;
  }
  throw new LocalVmError("IMAGE_BUILD", "Cannot build the VM image: the kernel package holds no modules");
}

async function configureRoot(recipe: ImageRecipe, root: string): Promise<void> {
  for (const file of recipe.files) {
    const path = join(root, file.path);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, file.text, { mode: file.mode ?? 0o644 });
  }
  await writeFile(
    join(root, "etc/modprobe.d/bedplate.conf"),
    recipe.blacklistedModules.map((name) => `blacklist ${name}\n`).join(""),
  );
  const systemctl = ["--quiet", `--root=${root}`];
  await run("systemctl", [...systemctl, "mask", ...recipe.maskedUnits]);
  await run("systemctl", [...systemctl, "enable", "systemd-networkd.service", "ssh.service"]);
  await run("systemctl", [...systemctl, "set-default", "multi-user.target"]);
  // Nothing of the building machine and no secret stays: host keys and the machine id are each VM's own.
  const removed = [
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/apt/sources.list",
    "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
    "etc/resolv.conf",
    "var/cache/apt",
    "var/lib/apt/lists",
    ...recipe.removedFiles,
    ...(await readdir(join(root, "etc/ssh")))
      .filter((file) => file.startsWith("ssh_host_"))
      .map((file) => `etc/ssh/${file}`),
  ];
  await Promise.all(removed.map((path) => rm(join(root, path), { recursive: true, force: true })));
  // Empty, not missing: a missing one makes systemd treat every boot as the first.
  await writeFile(join(root, "etc/machine-id"), "");
}

async function packRoot(recipe: ImageRecipe, root: string, folder: string): Promise<void> {
  const raw = join(folder, "root.img");
  await run("mke2fs", [
    "-q",
    "-t",
    "ext4",
    "-O",
    "^metadata_csum,^64bit",
    "-m",
    "0",
    "-E",
    "lazy_itable_init=1,root_owner=0:0",
    "-d",
    root,
    raw,
    `${recipe.rootSizeMiB}M`,
  ]);
  await run("qemu-img", ["convert", "-q", "-O", "qcow2", raw, join(folder, IMAGE_FILES.rootDisk)]);
}

/** Builds an image from nothing but this machine's Debian archive. Needs root. @throws {LocalVmError} IMAGE_BUILD */
export async function buildImage(recipe: ImageRecipe, options: BuildOptions): Promise<BuiltImage> {
  const { folder, progress } = options;
  const root = join(folder, "root");
  progress(`installing Debian ${recipe.suite} (mmdebstrap)`);
  await bootstrapRoot(recipe, root, options);
  progress("fetching the kernel");
  const kernel = await unpackKernel(root, folder);
  const kernelRelease = await installModules(recipe, kernel.tree, root);
  const packages = await run("dpkg-query", [
    `--root=${root}`,
    "--show",
    "--showformat=${Package}=${Version}\\n",
  ]);
  await configureRoot(recipe, root);
  const busybox = await readFile("/bin/busybox");
  const initrd = await buildInitrd(
    join(root, "usr/lib/modules", kernelRelease),
    recipe.initrdModules,
    busybox,
  );
  if (recipe.bootLoader === "grub") {
    progress("installing GRUB");
    await cp(
      join(kernel.tree, "boot", `vmlinuz-${kernelRelease}`),
      join(root, "boot", `vmlinuz-${kernelRelease}`),
    );
    await writeFile(join(root, "boot", `initrd.img-${kernelRelease}`), initrd);
    await writeFile(join(folder, GRUB_DISK), await installGrub(root, kernelRelease, run));
  }
  progress("packing the disk");
  await Promise.all([
    packRoot(recipe, root, folder),
    (async () => {
      const bzImage = await readFile(join(kernel.tree, "boot", `vmlinuz-${kernelRelease}`));
      await writeFile(join(folder, IMAGE_FILES.vmlinux), await extractVmlinux(bzImage));
    })(),
    (async () => {
      const modules = join(root, "usr/lib/modules", kernelRelease);
      const initrd = await buildInitrd(modules, recipe.initrdModules, busybox);
      await writeFile(join(folder, IMAGE_FILES.initrd), initrd);
      await writeFile(join(folder, IMAGE_FILES.probeInitrd), buildProbeInitrd(busybox));
    })(),
  ]);
  const kept = new Set<string>([...Object.values(IMAGE_FILES), GRUB_DISK]);
  for (const file of await readdir(folder)) {
    if (!kept.has(file)) await rm(join(folder, file), { recursive: true, force: true });
  }
  return { kernelRelease, packages: [...packages.split("\n"), kernel.deb.replace("_", "=")] };
}
