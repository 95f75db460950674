import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OutputMap } from "@pulumi/pulumi/automation/index.js";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { HOST_PATHS } from "../../../host-tuning/boot/paths.ts";
import { endLab, LAB_PARTS, LAB_TIMEOUT_MILLIS, type Lab, startLab } from "../../helpers/lab-vm.ts";
import { describeWith } from "../../helpers/needs.ts";
import { PULUMI } from "../../helpers/pulumi-cli.ts";
import { type SshStack, openSshStack, sshEnvironment, targetOf } from "../../helpers/ssh-stack.ts";
import { readTraces } from "../../helpers/traces.ts";

/** One of the values that the preset sets, so that it is ours to miss. */
const KEY = "net.ipv4.tcp_keepalive_time";

/**
 * One machine that exists already, on the real engine. Two machines, a provider that is killed and a profile that changes:
 * tuned-host.long.test.ts.
 */
describeWith([...LAB_PARTS, PULUMI], "an ssh environment on the real engine", () => {
  vi.setConfig({ testTimeout: LAB_TIMEOUT_MILLIS, hookTimeout: LAB_TIMEOUT_MILLIS });

  let folder: string;
  let lab: Lab;
  let ssh: SshStack;
  let before: string;
  const keepalive = async () => (await lab.vm.ssh(`sysctl -n ${KEY}`)).stdout.trim();
  const environment = (changes: { readonly port?: number; readonly hostKey?: string } = {}) =>
    sshEnvironment([{ name: "web-1", target: { ...targetOf(lab), ...changes } }]);
  const quiet = { color: "never" as const, suppressProgress: true };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "bedplate-ssh-stack-"));
    lab = await startLab({
      cpus: 2,
      memoryMiB: 1024,
      numaNodes: 1,
      nvmeDisks: [],
      userData: "#cloud-config\n{}\n",
    });
    before = await readTraces(lab.vm);
    ssh = await openSshStack(folder, environment());
  });

  afterAll(async () => {
    if (lab !== undefined) await endLab(lab);
    rmSync(folder, { recursive: true, force: true });
  });

  test("up installs the agent and the service, tunes, and returns what was read back", async () => {
    const { summary, outputs } = await ssh.stack.up(quiet);
    expect(summary.resourceChanges).toEqual({ create: 4 });
    expect(urlsOf(outputs)).toEqual(["http://127.0.0.1:8080/mcp"]);
    const state = await readHostState(ssh);
    expect(state).toMatchObject({ isTuned: true, problem: "", plan: {}, report: { failed: {} } });
    expect(state["machineId"]).toBe((await lab.vm.ssh("cat /etc/machine-id")).stdout.trim());
    expect(state["settings"]).toMatchObject({ [KEY]: await keepalive() });
    expect(JSON.stringify(state)).not.toContain("PRIVATE KEY");
    // The unit is started, and the program in it takes its time where CPUs are emulated.
    const answers = "curl -sf --retry 60 --retry-connrefused --retry-delay 1 http://127.0.0.1:8080/healthz";
    expect((await lab.vm.ssh(answers, { timeoutMillis: 120_000 })).exitCode).toBe(0);
  });

  test("a preview finds nothing, and names the knob that somebody changed on the host since", async () => {
    expect((await ssh.stack.preview(quiet)).changeSummary).toEqual({ same: 4 });
    await lab.vm.ssh(`sysctl -w ${KEY}=600`);
    const { stdout, changeSummary } = await ssh.stack.preview({ ...quiet, diff: true });
    expect(changeSummary).toEqual({ update: 1, same: 3 });
    expect(stdout).toMatch(/\+ net\.ipv4\.tcp_keepalive_time: "600 -> \d+"/);
    expect(await keepalive()).toBe("600");
  });

  test("a refresh reads the changed value, and an up heals it", async () => {
    await ssh.stack.refresh(quiet);
    expect(await readHostState(ssh)).toMatchObject({
      settings: { [KEY]: "600" },
      report: { verb: "verify", drifted: [KEY] },
    });
    expect((await ssh.stack.up(quiet)).summary.resourceChanges).toEqual({ update: 1, same: 3 });
    expect(await keepalive()).not.toBe("600");
  });

  test("a preview goes on where a host does not answer or is another, and says so", async () => {
    // Port 1 of loopback: nobody listens there.
    ssh.write(environment({ port: 1 }));
    const down = await ssh.stack.preview(quiet);
    expect(down.stdout).toMatch(/Cannot reach root@127\.0\.0\.1:1: .*Connection refused/);
    ssh.write(environment({ hostKey: OTHER_KEY }));
    const other = await ssh.stack.preview(quiet);
    expect(other.stdout).toContain("does not have the pinned host key");
    expect(other.changeSummary).toEqual({ update: 1, same: 3 });
    ssh.write(environment());
  });

  test("destroy leaves the machine as it was", async () => {
    await ssh.stack.destroy(quiet);
    expect(await readTraces(lab.vm)).toBe(before);
    expect((await lab.vm.ssh(`ls -d ${HOST_PATHS.agentFolder} ${HOST_PATHS.stateFolder}`)).exitCode).not.toBe(
      0,
    );
  });
});

/** Somebody's key: one in its form. */
const OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPsBjxTEGRzTnDH6oApDsdPTEMVoMRbnNqHfCNFnYpG8";

function urlsOf(outputs: OutputMap): unknown {
  return outputs["serviceUrls"]?.value;
}

/** The one host as the engine's state has it. */
async function readHostState({ stack }: SshStack): Promise<Record<string, unknown>> {
  const { deployment } = (await stack.exportStack()) as {
    deployment: { resources: readonly { type: string; outputs: Record<string, unknown> }[] };
  };
  const hosts = deployment.resources.filter(({ type }) => type === "bedplate:index:TunedHost");
  expect(hosts).toHaveLength(1);
  return hosts[0]?.outputs ?? {};
}
