import { applyPlan } from "../../../host-tuning/engine/apply-plan.ts";
import { readFacts } from "../../../host-tuning/facts/read-facts.ts";
import { defineKnob } from "../../../host-tuning/knobs/knob.ts";
import { hostProfileSchema } from "../../../host-tuning/profile/host-profile.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import * as z from "zod";

/**
 * A program for commit-confirm.long.test.ts, run in a lab VM: applies one knob that really cuts the VM off, the NIC's
 * link down. What takes it back is the installed agent, which has never heard of this knob.
 *
 * Arguments: the NIC, the timeout in seconds, and `armed` or `written` to be killed (SIGKILL) right after the timer is
 * armed or the change is written.
 */
const [device = "", timeoutSeconds = "", killAfter] = process.argv.slice(2);

const linkState = defineKnob<string>({
  id: "demo.link",
  title: "Link of a NIC, up or down",
  family: "nic",
  unit: "enum",
  scope: "nic",
  phase: "late",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "high", what: "cuts the host off, which is the point" },
  isReversible: true,
  canCutOff: true,
  kernelDefault: "up",
  sources: ["https://docs.kernel.org/networking/operstates.html"],
  value: z.enum(["up", "down"]),
  targets: () => [{ name: device }],
  async read(host, { name }) {
    const flags = await host.readText(`/sys/class/net/${name}/flags`);
    return flags === undefined ? undefined : (Number(flags) & 1) === 1 ? "up" : "down";
  },
  desired: () => ({ kind: "set", value: "down", because: "a profile that breaks the NIC on purpose" }),
  writes: (value, { name }, before) => [
    {
      kind: "tool",
      command: ["ip", "link", "set", "dev", name, value],
      undo: ["ip", "link", "set", "dev", name, before],
    },
  ],
});

const live = openHost("/");
const host = Object.assign(openHost("/"), {
  runTool: async (tool: string, args: readonly string[]) => {
    const result = await live.runTool(tool, args);
    const isTime = killAfter === "armed" ? tool === "systemd-run" : tool === "ip" && args[0] === "link";
    if (killAfter !== undefined && isTime) process.kill(process.pid, "SIGKILL");
    return result;
  },
});
/** Not awaited at the top: the archive's kind of program is CommonJS. */
async function main(): Promise<void> {
  const report = await applyPlan({
    host,
    facts: await readFacts(host),
    profile: hostProfileSchema.parse({
      apiVersion: "bedplate/v1",
      kind: "HostProfile",
      confirm: { timeoutSeconds: Number(timeoutSeconds) },
    }),
    knobs: [linkState],
    phase: "late",
    confirmation: { revert: ["/usr/local/sbin/bedplate", "rollback", "--unconfirmed", "--log-json"] },
  });
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

void main();
