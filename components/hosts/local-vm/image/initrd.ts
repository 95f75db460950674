import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { decompressKernelPart } from "./vmlinux.ts";
import { type CpioEntry, renderCpio } from "./cpio.ts";

const CONSOLE: readonly CpioEntry[] = [
  { path: "bin", mode: 0o40755 },
  { path: "proc", mode: 0o40755 },
  { path: "sys", mode: 0o40755 },
  { path: "dev", mode: 0o40755 },
  { path: "mnt", mode: 0o40755 },
  { path: "lib", mode: 0o40755 },
  { path: "dev/console", mode: 0o20600, device: { major: 5, minor: 1 } },
  { path: "dev/null", mode: 0o20666, device: { major: 1, minor: 3 } },
];

/** Line that the probe's initrd prints when the kernel has really run. */
export const PROBE_MARKER = "bedplate-probe-ok";

/** `modprobe`'s name of a module file: kernel/drivers/block/virtio_blk.ko.xz is virtio_blk. */
function moduleName(path: string): string {
  return basename(path)
    .replace(/\.ko(\.\w+)?$/, "")
    .replaceAll("-", "_");
}

/**
 * Files to load for the wanted modules, each after what it needs. A name that modules.dep lacks is built into the
 * kernel or has no counterpart in this release, and is left out.
 */
export function moduleLoadOrder(modulesDep: string, wanted: readonly string[]): string[] {
  const files = new Map<string, { readonly path: string; readonly needs: readonly string[] }>();
  for (const line of modulesDep.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    const path = line.slice(0, colon);
    files.set(moduleName(path), {
      path,
      needs: line
        .slice(colon + 1)
        .split(" ")
        .filter(Boolean),
    });
  }
  const order = new Set<string>();
  const add = (name: string): void => {
    const file = files.get(name);
    if (file === undefined || order.has(file.path)) return;
    // modules.dep lists direct and indirect needs, the deepest last.
    for (const need of file.needs.toReversed()) add(moduleName(need));
    order.add(file.path);
  };
  for (const name of wanted) add(name.replaceAll("-", "_"));
  return [...order];
}

function initScript(modules: readonly string[]): string {
  return `#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev; $b mount -t proc proc /proc; $b mount -t sysfs sys /sys
${modules.map((name) => `$b insmod /lib/${name}.ko`).join("\n")}
i=0; while [ ! -e /dev/vda ] && [ $i -lt 1000 ]; do $b usleep 10000; i=$((i+1)); done
$b mount -t ext4 -o rw,noatime /dev/vda /mnt || { echo "bedplate: no root disk"; exec $b poweroff -f; }
$b mount -o move /dev /mnt/dev; $b mount -o move /proc /mnt/proc; $b mount -o move /sys /mnt/sys
exec $b switch_root /mnt /lib/systemd/systemd
`;
}

/** The initrd of the image: busybox, the modules that reach the root disk, nothing else, so that it unpacks at once. */
export async function buildInitrd(
  modulesFolder: string,
  wanted: readonly string[],
  busybox: Uint8Array,
): Promise<Buffer> {
  const order = moduleLoadOrder(await readFile(join(modulesFolder, "modules.dep"), "utf8"), wanted);
  const modules = await Promise.all(
    order.map(async (path): Promise<CpioEntry> => ({
      path: `lib/${moduleName(path)}.ko`,
      mode: 0o100644,
      data: await decompressKernelPart(await readFile(join(modulesFolder, path))),
    })),
  );
  return renderCpio([
    ...CONSOLE,
    { path: "bin/busybox", mode: 0o100755, data: busybox },
    ...modules,
    { path: "init", mode: 0o100755, data: Buffer.from(initScript(order.map(moduleName))) },
  ]);
}

/** An initrd that says it ran and powers off: what tells a KVM that works from one that only has a device file. */
export function buildProbeInitrd(busybox: Uint8Array): Buffer {
  return renderCpio([
    ...CONSOLE,
    { path: "bin/busybox", mode: 0o100755, data: busybox },
    {
      path: "init",
      mode: 0o100755,
      data: Buffer.from(`#!/bin/busybox sh\necho ${PROBE_MARKER}\nexec /bin/busybox poweroff -f\n`),
    },
  ]);
}
