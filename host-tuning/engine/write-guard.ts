import { readEntryFiles } from "../boot-loader/entry-files.ts";
import { TuningError } from "../errors.ts";
import type { Write } from "../knobs/knob.ts";
import type { Host } from "../sys/host.ts";

/** Where kernel files are; nothing else is ever written in place. */
const KERNEL_FOLDERS = ["/proc/sys/", "/proc/irq/", "/sys/"];

/** Where configuration may be put. */
const CONFIG_FOLDERS = ["/etc/", "/run/systemd/", "/run/udev/", "/boot/"];

/** Where boot loader entries are beside /boot. */
const ENTRY_FOLDERS = [...CONFIG_FOLDERS, "/efi/loader/entries/"];

/** Without blanks and quotes, and without what a shell or GRUB's scripts would take for their own. */
const KERNEL_ARGUMENT = /^[A-Za-z][\w.-]*=[\w.,:+-]+$/;

/** The agent's own files are no knob's business. */
const OWN_FOLDERS = ["/run/bedplate/", "/etc/bedplate/"];

/**
 * Refuses a write whose path is not plainly inside the folders for its kind, as one made from a hostile device name
 * ("../../etc/passwd") would be.
 *
 * @throws {TuningError} HOST_WRITE
 */
export function checkWrite(write: Write): void {
  switch (write.kind) {
    case "kernel-file":
      checkPath(write.path, KERNEL_FOLDERS);
      if (write.counterpart !== undefined) checkPath(write.counterpart, KERNEL_FOLDERS);
      return;
    case "config-file":
      checkPath(write.path, CONFIG_FOLDERS);
      return;
    case "tool":
      for (const word of [...write.command, ...write.undo]) {
        if (word.includes("\0")) throw refusal(word, "a tool's argument holds a NUL");
      }
      return;
    case "boot-entries":
      for (const word of write.words) {
        if (!KERNEL_ARGUMENT.test(word)) throw refusal(word, "not one plain kernel argument");
      }
  }
}

/**
 * The same for where the path leads once links are followed: a link in a captured tree must not turn a device's file
 * into /etc/passwd.
 *
 * @throws {TuningError} HOST_WRITE
 */
export async function checkDestination(host: Host, write: Write): Promise<void> {
  if (write.kind === "tool") return;
  if (write.kind === "boot-entries") {
    for (const { path } of await readEntryFiles(host, write.loader)) {
      checkPath((await host.realPath(path)) ?? path, ENTRY_FOLDERS);
    }
    return;
  }
  const folders = write.kind === "kernel-file" ? KERNEL_FOLDERS : CONFIG_FOLDERS;
  const paths =
    write.kind === "kernel-file" && write.counterpart !== undefined
      ? [write.path, write.counterpart]
      : [write.path];
  for (const path of paths) {
    const real = await host.realPath(path);
    if (real !== undefined) checkPath(real, folders);
  }
}

function checkPath(path: string, folders: readonly string[]): void {
  const parts = path.split("/").slice(1);
  if (path.includes("\0") || parts.some((part) => part === "" || part === "." || part === "..")) {
    throw refusal(path, "not a plain absolute path");
  }
  if (
    !folders.some((folder) => path.startsWith(folder)) ||
    OWN_FOLDERS.some((folder) => path.startsWith(folder))
  ) {
    throw refusal(path, `outside ${folders.join(", ")}`);
  }
}

function refusal(path: string, why: string): TuningError {
  return new TuningError("HOST_WRITE", path, `Cannot write ${JSON.stringify(path)}: ${why}`);
}
