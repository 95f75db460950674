import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { createHostRoot } from "../../helpers/host-root.ts";
import { stockHost } from "../../helpers/stock-host.ts";
import { agent } from "./agent-process.ts";

const PROFILE = JSON.stringify({
  apiVersion: "bedplate/v1",
  kind: "HostProfile",
  workload: { connections: 50_000 },
  service: { runtime: "kubernetes" },
});

const TREE = { ...stockHost(), "/etc/bedplate/profile.yaml": PROFILE };

describe("bedplate plan --pod-sysctls", () => {
  it("prints a pod's securityContext and what the kubelet has to allow, as YAML to paste from", async () => {
    await using host = await createHostRoot(TREE);
    const { exitCode, stdout } = await agent(["plan", "--pod-sysctls", "--root", host.root]);
    expect(exitCode).toBe(0);
    const [pod, kubelet] = parseAllDocuments(stdout).map((document): unknown => document.toJS());
    expect(pod).toMatchObject({
      spec: {
        securityContext: {
          sysctls: expect.arrayContaining([
            { name: "net.core.somaxconn", value: "65536" },
            { name: "net.ipv4.tcp_keepalive_time", value: "300" },
          ]),
        },
      },
    });
    expect(kubelet).toMatchObject({ allowedUnsafeSysctls: expect.arrayContaining(["net.core.somaxconn"]) });
    expect(kubelet).not.toMatchObject({
      allowedUnsafeSysctls: expect.arrayContaining(["net.ipv4.tcp_keepalive_time"]),
    });
  });

  it("prints data for programs, by the version of Kubernetes", async () => {
    await using host = await createHostRoot(TREE);
    const line = ["plan", "--pod-sysctls", "--json", "--root", host.root, "--kubernetes-version"];
    const { stdout } = await agent([...line, "1.28"]);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: "PodSysctls",
      kubernetesVersion: "1.28",
      unsafe: expect.arrayContaining([expect.objectContaining({ name: "net.ipv4.tcp_keepalive_time" })]),
    });
    const bad = await agent([...line, "latest"]);
    expect(bad.exitCode).toBe(2);
    expect(bad.stderr).toContain('expected a version as in "1.34", found "latest"');
  });
});

describe("bedplate plan and verify", () => {
  it("name a service whose network namespace is its own", async () => {
    await using host = await createHostRoot({
      ...TREE,
      "/etc/bedplate/profile.yaml": PROFILE.replace("kubernetes", "systemd"),
      "/proc/1/ns/net": { link: "net:[4026531840]" },
      "/proc/4242/ns/net": { link: "net:[4026532281]" },
    });
    for (const verb of ["plan", "verify"]) {
      const { stdout } = await agent([verb, "--json", "--root", host.root]);
      expect(JSON.parse(stdout), verb).toMatchObject({
        namespaces: [{ namespace: "net:[4026532281]", services: ["mcp-service.service"], isService: true }],
      });
    }
    expect((await agent(["verify", "--root", host.root])).stdout).toContain("net:[4026532281]");
  });
});

describe("bedplate explain", () => {
  it("prints what this host has counted, and what other tuners set", async () => {
    const counted = "TcpExt: ListenOverflows ListenDrops\nTcpExt: 496 1204\n";
    await using host = await createHostRoot({ ...TREE, "/proc/net/netstat": counted });
    const { stdout } = await agent(["explain", "net.core.somaxconn", "--root", host.root]);
    expect(stdout).toMatch(/counted here +TcpExt.ListenOverflows 496, TcpExt.ListenDrops 1204/);
    expect(stdout).toMatch(/others set +TuneD: throughput-performance: 2048, raise only/);
    const { stdout: json } = await agent(["explain", "net.core.somaxconn", "--json", "--root", host.root]);
    expect(JSON.parse(json)).toMatchObject({
      here: [{ evidence: expect.stringContaining("496") as unknown }],
    });
  });
});
