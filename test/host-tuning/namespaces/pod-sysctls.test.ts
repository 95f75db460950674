import { describe, expect, it } from "vitest";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import { namespacedKnobs, sysctlsOfNewNamespace } from "../../../host-tuning/knobs/namespaced-sysctls.ts";
import { parseKubernetesVersion, podSysctls } from "../../../host-tuning/namespaces/pod-sysctls.ts";
import { sampleFacts, sampleProfile } from "../../helpers/facts.ts";

/** A new namespace takes the host's values of these, so that nothing has to be said about them. */
const INHERITED = ["net.ipv4.tcp_congestion_control", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"];

const GATEWAY = sampleProfile({
  workload: { connections: 50_000, outboundConnections: 20_000 },
  service: { runtime: "kubernetes", listenPorts: [8080] },
});

function namesOf(minor: number) {
  const { safe, unsafe } = podSysctls(sampleFacts(), GATEWAY, minor);
  return { safe: safe.map(({ name }) => name), unsafe: unsafe.map(({ name }) => name) };
}

describe("namespacedKnobs()", () => {
  it("are all knobs of a network namespace but those that a new one inherits", () => {
    const known = [...namespacedKnobs().map(({ id }) => id), ...INHERITED].toSorted();
    const registered = KNOBS.filter((knob) => knob.scope === "netns").map(({ id }) => id);
    expect(known).toEqual(registered.toSorted());
  });
});

describe("sysctlsOfNewNamespace()", () => {
  it("goes by the kernel's values, not by what the host has", () => {
    const values = Object.fromEntries(
      sysctlsOfNewNamespace(sampleFacts(), GATEWAY).map(({ knob, value }) => [knob.id, value]),
    );
    expect(values).toMatchObject({
      "net.core.somaxconn": "65536",
      "net.ipv4.ip_local_port_range": "32768 65535",
      "net.ipv4.ip_local_reserved_ports": "8080",
      "net.ipv4.tcp_keepalive_time": "300",
      "net.ipv4.tcp_max_syn_backlog": "65536",
      "net.ipv4.tcp_retries2": "8",
      "net.ipv4.tcp_slow_start_after_idle": "0",
      "net.ipv4.tcp_tw_reuse": "1",
    });
  });

  it("names nothing that the kernel has right already", () => {
    const names = sysctlsOfNewNamespace(sampleFacts(), sampleProfile()).map(({ knob }) => knob.id);
    expect(names).toContain("net.ipv4.tcp_max_syn_backlog");
    expect(names).not.toContain("net.core.somaxconn");
  });

  it("follows the profile's overrides, to set and to leave", () => {
    const profile = sampleProfile({
      overrides: {
        "net.core.somaxconn": { value: 8192, because: "measured" },
        "net.ipv4.tcp_retries2": { leave: true, because: "the mesh does it" },
      },
    });
    const found = sysctlsOfNewNamespace(sampleFacts(), profile);
    expect(found.find(({ knob }) => knob.id === "net.core.somaxconn")).toMatchObject({
      value: "8192",
      because: "profile: measured",
    });
    expect(found.map(({ knob }) => knob.id)).not.toContain("net.ipv4.tcp_retries2");
  });
});

describe("podSysctls()", () => {
  it("calls keep-alive safe from Kubernetes 1.29 on, reserved ports from 1.27", () => {
    const reserved = "net.ipv4.ip_local_reserved_ports";
    const keepalive = "net.ipv4.tcp_keepalive_time";
    expect(namesOf(26).unsafe).toEqual(expect.arrayContaining([reserved, keepalive]));
    expect(namesOf(28).safe).toContain(reserved);
    expect(namesOf(28).unsafe).toContain(keepalive);
    expect(namesOf(29).safe).toContain(keepalive);
  });

  it("never calls a listener's queues safe, and gives every sysctl once", () => {
    for (const minor of [11, 26, 29, 34, 60]) {
      const { safe, unsafe } = namesOf(minor);
      expect(unsafe).toEqual(expect.arrayContaining(["net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog"]));
      expect(safe).toContain("net.ipv4.ip_local_port_range");
      expect(new Set([...safe, ...unsafe]).size).toBe(safe.length + unsafe.length);
    }
  });
});

describe("parseKubernetesVersion()", () => {
  it.each([
    ["1.34", 34],
    ["v1.29.4", 29],
    ["1.30.2-eks-036c24b", 30],
    ["2.0", undefined],
    ["latest", undefined],
    ["1.", undefined],
  ])("%s", (text, minor) => {
    expect(parseKubernetesVersion(text)).toBe(minor);
  });
});
