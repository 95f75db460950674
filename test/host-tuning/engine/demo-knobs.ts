import * as z from "zod";
import type { AnyKnob, Knob } from "../../../host-tuning/knobs/knob.ts";
import { defineKnob } from "../../../host-tuning/knobs/knob.ts";
import { type HostRoot, type HostTree, createHostRoot } from "../../helpers/host-root.ts";

/** Knobs that no host has: they prove that the engine works by the contract alone. */

const COMMON = {
  family: "kernel",
  scope: "host",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "none, it is made up" },
  isReversible: true,
  kernelDefault: "made up",
  sources: ["https://example.org/demo"],
} as const;

/** An integer below /proc/sys/demo that should be `wanted`. */
export function numberKnob(name: string, wanted: number, changes: Partial<Knob<number>> = {}): AnyKnob {
  const path = `/proc/sys/demo/${name}`;
  return defineKnob<number>({
    ...COMMON,
    id: `demo.${name}`,
    title: `Demo value ${name}`,
    unit: "connections",
    value: z.int().min(0).max(1_000_000),
    async read(host) {
      const text = await host.readText(path);
      return text === undefined ? undefined : Number(text.trim());
    },
    desired: ({ current, profile }) =>
      current > wanted && !profile.allowLowering
        ? { kind: "leave", because: `host has ${current}` }
        : { kind: "set", value: wanted, because: `${wanted} is demonstrated` },
    writes: (value) => [{ kind: "kernel-file", path, text: `${value}\n` }],
    ...changes,
  });
}

/** A configuration file in a folder that has to be made. */
export const CONFIG_PATH = "/etc/demo.d/deep/10-bedplate.conf";

export const configKnob = defineKnob<string>({
  ...COMMON,
  id: "demo.config",
  title: "Demo configuration",
  unit: "text",
  survivesReboot: true,
  takesEffect: "service-restart",
  value: z.string(),
  read: async (host) => (await host.readText(CONFIG_PATH))?.trim() ?? "",
  desired: () => ({ kind: "set", value: "limit=65536", because: "the service opens many files" }),
  writes: (value) => [
    { kind: "config-file", path: CONFIG_PATH, text: `${value}\n`, reload: [["systemctl", "daemon-reload"]] },
  ],
});

/** A word per disk, in the late phase. */
export const diskKnob = defineKnob<string>({
  ...COMMON,
  id: "demo/scheduler",
  title: "Demo scheduler",
  family: "block",
  unit: "enum",
  scope: "disk",
  phase: "late",
  value: z.enum(["none", "mq-deadline"]),
  targets: () => [{ name: "disk0" }, { name: "disk1" }],
  read: async (host, target) => (await host.readText(`/sys/block/${target.name}/queue/scheduler`))?.trim(),
  desired: () => ({ kind: "set", value: "none", because: "the device orders for itself" }),
  writes: (value, target) => [
    { kind: "kernel-file", path: `/sys/block/${target.name}/queue/scheduler`, text: `${value}\n` },
  ],
});

export const DEMO_KNOBS: readonly AnyKnob[] = [
  numberKnob("backlog", 4096),
  numberKnob("raised", 100),
  numberKnob("absent", 1),
  configKnob,
  diskKnob,
];

export const BOOT_ID = "8f7b1f0e-6f3f-4f6c-9a55-2c7f1f4f9f10";

export const DEMO_TREE: HostTree = {
  "/proc/sys/kernel/random/boot_id": `${BOOT_ID}\n`,
  "/proc/sys/demo/backlog": "128\n",
  "/proc/sys/demo/raised": "500\n",
  "/sys/block/disk0/queue/scheduler": "mq-deadline\n",
  "/sys/block/disk1/queue/scheduler": "none\n",
  "/etc/hostname": "demo\n",
  "/var/lib/keep": "",
  "/run/keep": "",
};

export async function demoRoot(changes: HostTree = {}): Promise<HostRoot> {
  return await createHostRoot({ ...DEMO_TREE, ...changes });
}
