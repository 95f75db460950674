import * as z from "zod";
import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";
import { leave, setTo } from "./desired.ts";
import {
  diskNames,
  NO_INSTANCE_STORE,
  readStore,
  storeDisks,
  storeTarget,
  storeUuid,
} from "./instance-store.ts";
import { defineKnob, type Target, type Write } from "./knob.ts";
import { refuse } from "./nvme-array.ts";

const UNIT_FOLDER = "/etc/systemd/system";

/** How long we wait for the device: less than the 30 s that a tool may take. A boot does not wait. */
const JOB_TIMEOUT_SECONDS = 25;

/**
 * nvme.mount: the instance store mounted, now and at every boot.
 *
 * By a systemd mount unit of its own that names the file system by UUID: fstab stays as it is, and no other file system
 * can be mounted by mistake. noatime, since a read should not be a write; nofail and wanted by the device
 * alone, since a host whose instance store has gone must still boot, without waiting for it. A folder that holds files is refused, as the mount would hide them.
 */
export const nvmeMount = defineKnob<string>({
  id: "nvme.mount",
  title: "The instance store mounted",
  family: "block",
  unit: "text",
  scope: "disk",
  phase: "late",
  // Not by `after`: rollback has to unmount before it comes to the others.
  rediscoverAfter: ["nvme.array", "nvme.filesystem"],
  takesEffect: "now",
  survivesReboot: true,
  risk: { level: "low", what: "a service that ran before goes on with the files below the mount" },
  isReversible: true,
  kernelDefault: "none",
  anchors: { "EKS AMI": "mount units for /mnt/k8s-disks, noatime" },
  sources: [
    "https://man7.org/linux/man-pages/man5/systemd.mount.5.html",
    "https://man7.org/linux/man-pages/man8/mount.8.html",
  ],
  value: z.string().regex(/^[0-9a-f-]{36}$/, "a file system's UUID"),

  targets(facts, profile) {
    const { mountPath } = profile.nvme;
    if (mountPath === undefined || facts.initSystem !== "systemd") return [];
    const disks = storeDisks(facts, profile);
    return disks.length === 0 ? [] : [{ name: `${mountPath} on ${storeTarget(disks).name}` }];
  },
  absentBecause: `${NO_INSTANCE_STORE}, or no nvme.mountPath, or no systemd`,

  async read(host, target) {
    const { path, disks } = placeOf(target);
    const mounted = await readMounted(host, path);
    if (mounted !== undefined) return mounted;
    const store = await readStore(host, diskNames(disks));
    if (store.kind === "refused") return `refused: ${store.because}`;
    if (!(await host.exists(path))) return "no folder";
    const held = await host.list(path);
    return held.length === 0 ? "none" : `hides ${held.length} entries`;
  },

  desired({ facts, profile, current, target }) {
    const uuid = storeUuid(
      storeDisks(facts, profile).map(({ wwid }) => wwid),
      "filesystem",
    );
    if (uuid === undefined) return leave("a disk has no wwid to know its file system by");
    if (!profile.consent.includes("data-loss") || !profile.consent.includes("irreversible")) {
      return leave('the file system needs the profile\'s consent "irreversible" and "data-loss"');
    }
    refuse(current, placeOf(target).disks.name);
    if (current !== uuid && current !== "none" && current !== "no folder") {
      const what = current.startsWith("hides") ? `the mount ${current} there` : `${current} is mounted there`;
      const { path } = placeOf(target);
      throw new TuningError("HOST_READ", path, `Cannot mount at ${path}: ${what}`);
    }
    return setTo(uuid, "nvme.mountPath");
  },

  writes(value, target, before) {
    const { path } = placeOf(target);
    const unit = `${escapePath(path)}.mount`;
    const unitPath = `${UNIT_FOLDER}/${unit}`;
    const reload = [["systemctl", "daemon-reload"]] as const;
    const folder: Write[] =
      before === "no folder"
        ? [
            {
              kind: "tool",
              command: ["mkdir", "--parents", path],
              undo: ["rmdir", "--ignore-fail-on-non-empty", path],
            },
          ]
        : [];
    return [
      ...folder,
      { kind: "config-file", path: unitPath, text: unitText(value, path), reload },
      {
        kind: "config-file",
        // The device itself brings the mount up, however late it comes; a boot without it waits for nothing.
        path: `${UNIT_FOLDER}/${escapePath(devicePath(value))}.device.d/50-bedplate-instance-store.conf`,
        text: `# Written by bedplate, taken back by bedplate rollback.\n[Unit]\nWants=${unit}\n`,
        reload,
      },
      { kind: "tool", command: ["systemctl", "daemon-reload"], undo: ["systemctl", "daemon-reload"] },
      { kind: "tool", command: ["systemctl", "start", unit], undo: ["systemctl", "stop", unit] },
    ];
  },
});

/** "/mnt/fast on nvme1n1+nvme2n1": where, and of which disks. */
function placeOf(target: Target): { readonly path: string; readonly disks: Target } {
  const [path = "", disks = ""] = target.name.split(" on ");
  return { path, disks: { name: disks } };
}

function devicePath(uuid: string): string {
  return `/dev/disk/by-uuid/${uuid}`;
}

function unitText(uuid: string, where: string): string {
  return [
    "# Written by bedplate, taken back by bedplate rollback.",
    "[Unit]",
    "Description=Instance store",
    `JobTimeoutSec=${JOB_TIMEOUT_SECONDS}s`,
    "[Mount]",
    `What=${devicePath(uuid)}`,
    `Where=${where}`,
    "Options=noatime,nofail",
    "",
  ].join("\n");
}

/** UUID of what is mounted at `path`; its type and source where udev knows no UUID; `undefined` when nothing is. */
async function readMounted(host: Host, path: string): Promise<string | undefined> {
  const text = (await host.readText("/proc/self/mountinfo")) ?? "";
  const mount = text
    .split("\n")
    .map((line) => line.split(" "))
    .findLast((fields) => fields[4] === path);
  if (mount === undefined) return undefined;
  const rest = mount.slice(mount.indexOf("-") + 1);
  const number = mount[2] ?? "";
  const device = (await host.realPath(`/sys/dev/block/${number}`))?.split("/").at(-1);
  for (const uuid of await host.list("/dev/disk/by-uuid")) {
    if (device !== undefined && (await host.realPath(`/dev/disk/by-uuid/${uuid}`)) === `/dev/${device}`)
      return uuid.toLowerCase();
  }
  return `${rest[0] ?? "something"} of ${rest[1] ?? "somewhere"}`;
}

/** A path as systemd names its unit: /mnt/fast-disk is mnt-fast\x2ddisk. */
export function escapePath(path: string): string {
  return path
    .replaceAll(/^\/+|\/+$/g, "")
    .replaceAll(/[^A-Za-z0-9:_./]|^\./g, (character) => String.raw`\x${character.charCodeAt(0).toString(16)}`)
    .replaceAll("/", "-");
}
