import { mtu } from "../../../host-tuning/knobs/mtu.ts";
import { ethtoolFeaturesGenericReceiveOffload } from "../../../host-tuning/knobs/ethtool-features-generic-receive-offload.ts";
import { ethtoolFeaturesTcpSegmentationOffload } from "../../../host-tuning/knobs/ethtool-features-tcp-segmentation-offload.ts";
import type { AnyKnob, Target } from "../../../host-tuning/knobs/knob.ts";
import { rpsCpus } from "../../../host-tuning/knobs/rps-cpus.ts";
import { rpsFlowCnt } from "../../../host-tuning/knobs/rps-flow-cnt.ts";
import { txQueueLen } from "../../../host-tuning/knobs/tx-queue-len.ts";
import { xpsCpus } from "../../../host-tuning/knobs/xps-cpus.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";

/**
 * A program for nic-in-namespace.test.ts: writes settings of a virtual interface through their knobs, by file or tool,
 * reads each back and takes it back. Values by knob: before, after the write, after the undo.
 */
export type RoundResult = Readonly<Record<string, readonly [unknown, unknown, unknown]>>;

const host = openHost("/");
const nic = process.argv[2] ?? "v0";

async function round(knob: AnyKnob, target: Target, value: unknown): Promise<[unknown, unknown, unknown]> {
  const before = await knob.read(host, target);
  if (before === undefined) return [undefined, undefined, undefined];
  const [write] = knob.writes(value, target, before);
  if (write?.kind === "tool") {
    await run(write.command);
    const after = await knob.read(host, target);
    await run(write.undo);
    return [before, after, await knob.read(host, target)];
  }
  if (write?.kind !== "kernel-file") throw new Error(`${knob.id} writes nothing`);
  const bytes = (await host.readText(write.path)) ?? "";
  await host.writeKernelFile(write.path, write.text);
  const after = await knob.read(host, target);
  await host.writeKernelFile(write.path, bytes);
  return [before, after, await knob.read(host, target)];
}

async function run([tool, ...args]: readonly [string, ...string[]]): Promise<void> {
  const result = await host.runTool(tool, args);
  if (result?.exitCode !== 0)
    throw new Error(`${tool} ${args.join(" ")}: ${result?.stderr ?? "not installed"}`);
}

const rounds: readonly (readonly [AnyKnob, string, unknown])[] = [
  [mtu, nic, 9000],
  [txQueueLen, nic, 2048],
  [rpsCpus, `${nic}/rx-0`, "1"],
  [rpsFlowCnt, `${nic}/rx-1`, 4096],
  [xpsCpus, `${nic}/tx-1`, "1"],
  [ethtoolFeaturesGenericReceiveOffload, nic, { isOn: true }],
  [ethtoolFeaturesTcpSegmentationOffload, nic, { isOn: false }],
];
const result: Record<string, [unknown, unknown, unknown]> = {};
for (const [knob, name, value] of rounds) result[knob.id] = await round(knob, { name }, value);
process.stdout.write(JSON.stringify(result));
