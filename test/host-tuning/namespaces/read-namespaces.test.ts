import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import { readServiceNamespaces } from "../../../host-tuning/namespaces/read-namespaces.ts";
import type { ServiceNamespace } from "../../../host-tuning/namespaces/service-namespace.ts";
import { renderNamespaces } from "../../../host-tuning/report/render-namespaces.ts";
import type { Host } from "../../../host-tuning/sys/host.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { sampleFacts, sampleProfile } from "../../helpers/facts.ts";
import { type HostTree, createHostRoot } from "../../helpers/host-root.ts";
import { type Part, ROOT_USER, describeWith } from "../../helpers/needs.ts";

const NSENTER: Part = {
  name: "a network namespace that may be made and entered",
  howToGet: "run as root where unshare(1) and nsenter(1) of util-linux may do so",
  isThere: () =>
    spawnSync("unshare", ["--net", "--", "nsenter", "--net=/proc/self/ns/net", "true"], { timeout: 20_000 })
      .status === 0,
};

const CONTAINER = "a".repeat(64);
const POD =
  "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1b4e28ba_2fa1_11d2_883f_0016d3cca427.slice";

/** This machine's processes and namespaces, with the cgroups of `tree`: this machine runs no such service. */
function withCgroups(live: Host, tree: Host): Host {
  const isTree = (path: string): boolean =>
    path.startsWith("/sys/fs/cgroup") || path.startsWith("/etc/systemd");
  return {
    root: live.root,
    isLive: true,
    readText: (path) => (isTree(path) ? tree : live).readText(path),
    list: (path) => (isTree(path) ? tree : live).list(path),
    exists: (path) => (isTree(path) ? tree : live).exists(path),
    realPath: (path) => live.realPath(path),
    readLink: (path) => live.readLink(path),
    writeKernelFile: () => Promise.reject(new Error("reads only")),
    writeConfigFile: () => Promise.reject(new Error("reads only")),
    runTool: (tool, args) => live.runTool(tool, args),
  };
}

async function findings(cgroups: HostTree, profile = sampleProfile({ workload: { connections: 50_000 } })) {
  await using tree = await createHostRoot(cgroups);
  const host = withCgroups(openHost("/"), openHost(tree.root));
  return await readServiceNamespaces({ host, facts: sampleFacts(), profile, knobs: KNOBS });
}

function valueOf(found: ServiceNamespace | undefined, knob: string) {
  return found?.values.find((value) => value.knob === knob);
}

describeWith([ROOT_USER, NSENTER], "readServiceNamespaces() with real namespaces", () => {
  const processes: ChildProcess[] = [];

  /** A process in a network namespace of its own, once it has it. */
  async function startApart(): Promise<number> {
    const child = spawn("unshare", ["--net", "--", "sh", "-c", "echo there; exec sleep 300"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    processes.push(child);
    await new Promise<void>((done, fail) => {
      child.stdout.once("data", () => done());
      child.once("exit", () => fail(new Error("unshare ended")));
    });
    return child.pid ?? 0;
  }

  let service: number;
  let pod: number;

  beforeAll(async () => {
    [service, pod] = await Promise.all([startApart(), startApart()]);
  });

  afterAll(() => {
    for (const child of processes) child.kill("SIGKILL");
  });

  it("says that the host's values do not reach a service with a namespace of its own", async () => {
    const [found, ...others] = await findings({
      "/sys/fs/cgroup/system.slice/mcp-service.service/cgroup.procs": `${service}\n`,
    });
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      namespace: readlinkSync(`/proc/${service}/ns/net`),
      services: ["mcp-service.service"],
      runtime: "systemd",
      isService: true,
    });
    expect(valueOf(found, "net.core.somaxconn")).toMatchObject({
      inForce: "4096",
      wanted: "65536",
      isInForce: false,
    });
    expect(found?.because).toContain("placebo for mcp-service.service");
  });

  it("reads inside and not on the host: a value that is set there counts", async () => {
    execFileSync("nsenter", [
      `--net=/proc/${service}/ns/net`,
      "--",
      "sh",
      "-c",
      "echo 70000 > /proc/sys/net/core/somaxconn",
    ]);
    const [found] = await findings({
      "/sys/fs/cgroup/system.slice/mcp-service.service/cgroup.procs": `${service}\n`,
    });
    // 70 000 is more than what is wanted: the rule for the host leaves it, and so it is in force.
    expect(valueOf(found, "net.core.somaxconn")).toMatchObject({ inForce: "70000", isInForce: true });
    expect(valueOf(found, "net.ipv4.tcp_retries2")).toMatchObject({
      inForce: "15",
      wanted: "8",
      isInForce: false,
    });
  });

  it("finds pods and containers by their cgroups, one finding for what shares a namespace", async () => {
    const found = await findings({
      [`/sys/fs/cgroup/${POD}/cri-containerd-${CONTAINER}.scope/cgroup.procs`]: `${pod}\n`,
      [`/sys/fs/cgroup/${POD}/cri-containerd-${"b".repeat(64)}.scope/cgroup.procs`]: `${pod}\n`,
      [`/sys/fs/cgroup/machine.slice/libpod-${CONTAINER}.scope/container/cgroup.procs`]: `${service}\n`,
      [`/sys/fs/cgroup/machine.slice/libpod-conmon-${CONTAINER}.scope/cgroup.procs`]: `${process.pid}\n`,
    });
    expect(found.map(({ services, runtime }) => [services, runtime])).toEqual([
      [["pod 1b4e28ba-2fa1-11d2-883f-0016d3cca427"], "kubernetes"],
      [["podman aaaaaaaaaaaa"], "podman"],
    ]);
    expect(found[0]?.because).toContain("bedplate plan --pod-sysctls");
  });

  it("is silent about a service that shares the host's namespace, and about a cgroup that is empty", async () => {
    expect(
      await findings({
        "/sys/fs/cgroup/system.slice/mcp-service.service/cgroup.procs": `${process.pid}\n`,
        [`/sys/fs/cgroup/system.slice/docker-${CONTAINER}.scope/cgroup.procs`]: "\n",
      }),
    ).toEqual([]);
  });

  it("never takes a process that has ended for one that is as wanted", async () => {
    const child = spawnSync("true", { timeout: 20_000 });
    const found = await findings({
      "/sys/fs/cgroup/system.slice/mcp-service.service/cgroup.procs": `${child.pid}\n`,
    });
    expect(found).toEqual([]);
  });

  it("shows people what is not in force, and with all what is", async () => {
    const found = await findings({
      "/sys/fs/cgroup/system.slice/mcp-service.service/cgroup.procs": `${service}\n`,
    });
    const text = renderNamespaces(found);
    expect(text).toContain("net.ipv4.tcp_retries2");
    expect(text).not.toContain("net.core.somaxconn");
    expect(renderNamespaces(found, { all: true })).toContain("net.core.somaxconn");
    expect(renderNamespaces([])).toBe("");
  });
});

describe("readServiceNamespaces() without the right to look", () => {
  it("says so for a captured tree, where nothing can be entered", async () => {
    await using tree = await createHostRoot({
      "/proc/1/ns/net": { link: "net:[4026531840]" },
      "/proc/4242/ns/net": { link: "net:[4026532281]" },
      "/sys/fs/cgroup/system.slice/mcp-service.service/cgroup.procs": "4242\n",
    });
    const [found] = await readServiceNamespaces({
      host: openHost(tree.root),
      facts: sampleFacts(),
      profile: sampleProfile(),
      knobs: KNOBS,
    });
    expect(found).toMatchObject({ namespace: "net:[4026532281]", values: [] });
    expect(found?.because).toContain("a captured tree has no namespaces to enter");
  });

  it("names a service whose namespace it may not see", async () => {
    await using tree = await createHostRoot({
      "/proc/4242/status": "Name:\tnode\n",
      "/sys/fs/cgroup/system.slice/mcp-service.service/cgroup.procs": "4242\n",
    });
    const found = await readServiceNamespaces({
      host: openHost(tree.root),
      facts: sampleFacts(),
      profile: sampleProfile(),
      knobs: KNOBS,
    });
    expect(found).toMatchObject([{ namespace: null, services: ["mcp-service.service"], isService: true }]);
    expect(found[0]?.because).toContain("needs root");
  });
});
