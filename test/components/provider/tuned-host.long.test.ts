import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { UpOptions } from "@pulumi/pulumi/automation/index.js";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { HOST_PATHS } from "../../../host-tuning/boot/paths.ts";
import { endLab, LAB_PARTS, LAB_TIMEOUT_MILLIS, type Lab, startLab } from "../../helpers/lab-vm.ts";
import { describeWith } from "../../helpers/needs.ts";
import { PULUMI } from "../../helpers/pulumi-cli.ts";
import { type SshStack, openSshStack, sshEnvironment, targetOf } from "../../helpers/ssh-stack.ts";
import { readTraces } from "../../helpers/traces.ts";

const NAMES = ["web-1", "web-2"] as const;
/** One of the values that both presets set, so that it is ours to miss. */
const KEY = "net.ipv4.tcp_keepalive_time";
const READ_KEY = `sysctl -n ${KEY}`;
const QUIET = { color: "never" as const, suppressProgress: true };

/** Stack, environment, the pool and its two hosts. */
const RESOURCES = 5;

/** Two machines that exist already, on the real engine: what one of them does to the other's turn, and what a kill leaves. */
describeWith([...LAB_PARTS, PULUMI], "an ssh environment of two machines on the real engine", () => {
  vi.setConfig({ testTimeout: LAB_TIMEOUT_MILLIS, hookTimeout: LAB_TIMEOUT_MILLIS });

  let folder: string;
  const labs: Lab[] = [];
  let before: readonly string[];
  let ssh: SshStack;

  function environment(changes: { readonly preset?: string; readonly firstPort?: number } = {}) {
    const hosts = labs.map((lab, index) => {
      const target = targetOf(lab);
      const port = index === 0 ? (changes.firstPort ?? target.port) : target.port;
      return { name: NAMES[index] ?? "", target: { ...target, port } };
    });
    return sshEnvironment(hosts, { profile: { preset: changes.preset ?? "latency" } });
  }

  async function onBoth(command: string): Promise<readonly string[]> {
    const answers = await Promise.all(labs.map(({ vm }) => vm.ssh(command, { timeoutMillis: 120_000 })));
    for (const { exitCode, stderr } of answers) expect(exitCode, stderr).toBe(0);
    return answers.map(({ stdout }) => stdout.trim());
  }

  /** An up in which a process of the engine is killed as soon as the second host is being tuned. */
  async function upKilled(which: "engine" | "provider", options: UpOptions = {}): Promise<string> {
    let output = "";
    let killed: readonly number[] = [];
    const onOutput = (text: string): void => {
      output += text;
      if (killed.length > 0 || !output.includes("rack-web-2: tuning")) return;
      killed = descendants(process.pid).filter((pid) => isProcess(pid, which));
      for (const pid of killed) process.kill(pid, "SIGKILL");
    };
    await expect(ssh.stack.up({ color: "never", ...options, onOutput })).rejects.toThrow(/./);
    expect(killed, output).not.toEqual([]);
    return output;
  }

  async function expectBothTuned(): Promise<void> {
    const { deployment } = (await ssh.stack.exportStack()) as {
      deployment: {
        resources: readonly { type: string; id?: string; outputs: Record<string, unknown> }[];
        pending_operations?: readonly unknown[];
      };
    };
    const hosts = deployment.resources.filter(({ type }) => type === "bedplate:index:TunedHost");
    expect(hosts.map(({ id }) => id ?? "").toSorted()).toEqual(["rack-web-1", "rack-web-2"]);
    for (const { outputs } of hosts) {
      expect(outputs).toMatchObject({ isTuned: true, problem: "", plan: {}, report: { failed: {} } });
    }
    const verified = await onBoth(`${HOST_PATHS.command} verify --profile ${HOST_PATHS.profile}`);
    expect(verified).toHaveLength(2);
    expect((await ssh.stack.preview(QUIET)).changeSummary).toEqual({ same: RESOURCES });
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "bedplate-ssh-stack-"));
    for (const _ of NAMES) {
      labs.push(
        await startLab({
          cpus: 2,
          memoryMiB: 1024,
          numaNodes: 1,
          nvmeDisks: [],
          userData: "#cloud-config\n{}\n",
        }),
      );
    }
    before = await Promise.all(labs.map(({ vm }) => readTraces(vm)));
    ssh = await openSshStack(folder, environment());
  });

  afterAll(async () => {
    await Promise.all(labs.map((lab) => endLab(lab)));
    rmSync(folder, { recursive: true, force: true });
  });

  test("an up whose engine is killed is completed by the next, and nothing is there twice", async () => {
    await upKilled("engine");
    // The killed engine's lock on the state, as its message says to do.
    await ssh.stack.cancel();
    await ssh.stack.up(QUIET);
    await ssh.stack.refresh({ ...QUIET, clearPendingCreates: true });
    await expectBothTuned();
  });

  test("an up whose provider is killed is completed by the next", async () => {
    ssh.write(environment({ preset: "throughput" }));
    await upKilled("provider");
    await ssh.stack.up(QUIET);
    await expectBothTuned();
  });

  test("a preview names the knob that was changed by hand on the host where it was, and an up heals it", async () => {
    const [wanted] = await onBoth(READ_KEY);
    await labs[1]?.vm.ssh(`sysctl -w ${KEY}=600`);
    const { stdout, changeSummary } = await ssh.stack.preview({ ...QUIET, diff: true });
    expect(changeSummary).toEqual({ update: 1, same: RESOURCES - 1 });
    expect(stdout).toContain("::rack-web-2]");
    expect(stdout).not.toContain("::rack-web-1]");
    expect(stdout).toContain(`+ ${KEY}: "600 -> ${wanted}"`);
    expect((await ssh.stack.up(QUIET)).summary.resourceChanges).toEqual({ update: 1, same: RESOURCES - 1 });
    expect(await onBoth(READ_KEY)).toEqual([wanted, wanted]);
  });

  test("a host that does not answer is named, and the other is healed all the same", async () => {
    const [wanted] = await onBoth(READ_KEY);
    await labs[1]?.vm.ssh(`sysctl -w ${KEY}=600`);
    // Port 1 of loopback: nobody listens there.
    ssh.write(environment({ preset: "throughput", firstPort: 1 }));
    let output = "";
    const onOutput = (text: string): void => void (output += text);
    await expect(ssh.stack.up({ ...QUIET, continueOnError: true, onOutput })).rejects.toThrow(
      /TunedHost \(rack-web-1\):\s+(warning: .*\s+)?error: Cannot reach root@127\.0\.0\.1:1: /,
    );
    expect(output).toContain("rack-web-2 is tuned");
    expect(await onBoth(READ_KEY)).toEqual([wanted, wanted]);
    ssh.write(environment({ preset: "throughput" }));
    await ssh.stack.up(QUIET);
    await expectBothTuned();
  });

  test("destroy leaves both machines as they were", async () => {
    await ssh.stack.destroy(QUIET);
    const after = await Promise.all(labs.map(({ vm }) => readTraces(vm)));
    for (const [index, traces] of after.entries()) expect(traces, NAMES[index]).toBe(before[index]);
  });
});

/** Processes below one, by /proc. */
function descendants(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // It ended meanwhile.
    }
  }
  const isBelow = (pid: number): boolean => {
    const parent = parents.get(pid);
    return parent !== undefined && (parent === root || isBelow(parent));
  };
  return [...parents.keys()].filter(isBelow);
}

function isProcess(pid: number, which: "engine" | "provider"): boolean {
  try {
    const [program = "", ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return which === "engine"
      ? /(^|\/)pulumi$/.test(program)
      : args.some((arg) => arg.endsWith("components/provider/main.ts") || arg.endsWith("plugin/../main.ts"));
  } catch {
    return false;
  }
}
