import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BASE_KERNEL_ARGUMENTS } from "../qemu-command.ts";

const MODULES = "usr/lib/grub/i386-pc";

/** What GRUB does first: it finds the root disk by the file that it is going to read, wherever the BIOS lists that disk. */
const FIRST_COMMANDS = `search --no-floppy --set=root --file /boot/grub/grub.cfg
set prefix=($root)/boot/grub
`;

/** As grub-pc's installation would leave it, with the VM's kernel arguments and no waiting. */
function renderDefaults(): string {
  return `GRUB_DEFAULT=0
GRUB_TIMEOUT=0
GRUB_DISTRIBUTOR=\`lsb_release -i -s 2> /dev/null || echo Debian\`
GRUB_CMDLINE_LINUX_DEFAULT="${BASE_KERNEL_ARGUMENTS.join(" ")}"
GRUB_CMDLINE_LINUX=""
GRUB_TERMINAL=console
GRUB_DISABLE_OS_PROBER=true
`;
}

/** Boots the first time; update-grub in the guest writes its own over it. */
function renderFirstConfig(kernelRelease: string): string {
  return `set timeout=0
menuentry 'Debian GNU/Linux' {
	linux /boot/vmlinuz-${kernelRelease} root=/dev/vda ro ${BASE_KERNEL_ARGUMENTS.join(" ")}
	initrd /boot/initrd.img-${kernelRelease}
}
`;
}

/**
 * Puts GRUB's files into the root as grub-install does, and makes the disk that the BIOS starts: boot.img in the first
 * sector, which loads the core from the second one on. Nothing asks the building machine for its disks.
 *
 * @param run starts a tool and fails when it does
 * @returns the bytes of that disk
 */
export async function installGrub(
  root: string,
  kernelRelease: string,
  run: (tool: string, args: readonly string[]) => Promise<string>,
): Promise<Buffer> {
  await mkdir(join(root, "boot/grub"), { recursive: true });
  await mkdir(join(root, "etc/default/grub.d"), { recursive: true });
  await cp(join(root, MODULES), join(root, "boot/grub/i386-pc"), { recursive: true });
  await writeFile(join(root, "etc/default/grub"), renderDefaults());
  await writeFile(join(root, "boot/grub/grub.cfg"), renderFirstConfig(kernelRelease));
  const early = "boot/grub/early.cfg";
  const core = "boot/grub/core.img";
  await writeFile(join(root, early), FIRST_COMMANDS);
  await run("chroot", [
    root,
    "grub-mkimage",
    "--format=i386-pc",
    `--output=/${core}`,
    "--prefix=/boot/grub",
    `--config=/${early}`,
    "biosdisk",
    "ext2",
    "search",
    "search_fs_file",
    "normal",
    "linux",
    "test",
    "echo",
  ]);
  const first = await readFile(join(root, MODULES, "boot.img"));
  const rest = await readFile(join(root, core));
  await Promise.all([early, core].map((path) => rm(join(root, path))));
  const disk = Buffer.alloc(1024 * 1024);
  first.copy(disk);
  rest.copy(disk, 512);
  return disk;
}
