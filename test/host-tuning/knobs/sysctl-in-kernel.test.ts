import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import { decide } from "../../helpers/decide.ts";
import { sampleFacts } from "../../helpers/facts.ts";
import { type Part, ROOT_USER, describeWith } from "../../helpers/needs.ts";

const IN_NAMESPACE = ["--net", "--", "sh", "-c"];

const NETWORK_NAMESPACE: Part = {
  name: "a network namespace of its own",
  howToGet: "run as root where unshare(1) of util-linux may make one",
  isThere: () => spawnSync("unshare", [...IN_NAMESPACE, "true"], { timeout: 20_000 }).status === 0,
};

/** Runs a script in a network namespace that vanishes with it, so that this machine's own values stay. */
function inNamespace(script: string, ...args: string[]): string {
  return execFileSync("unshare", [...IN_NAMESPACE, script, "sh", ...args], {
    encoding: "utf8",
    timeout: 20_000,
  });
}

const PROFILE = {
  workload: { connections: 50_000, streams: 50_000, outboundConnections: 20_000, rttMillis: 20 },
  service: { listenPorts: [8080, 40_000] },
};

describeWith([ROOT_USER, NETWORK_NAMESPACE], "network sysctls in a real kernel", () => {
  const sample = sampleFacts();
  const congestionControls = readFileSync(
    "/proc/sys/net/ipv4/tcp_available_congestion_control",
    "utf8",
  ).split(/\s+/);
  const facts = { ...sample, kernel: { ...sample.kernel, congestionControls } };
  const knobs = KNOBS.filter((knob) => knob.family === "net" && knob.scope === "netns");

  it.each(knobs.map((knob) => ({ id: knob.id, knob })))("$id: the kernel takes the value", ({ knob }) => {
    const path = `/proc/sys/${knob.id.replaceAll(".", "/")}`;
    const stock = inNamespace('cat "$1"', path).trim().split(/\s+/).join(" ");
    const current = /^\d+$/.test(stock) ? Number(stock) : stock;
    const desired = decide(knob, { current, profile: PROFILE, facts });
    if (desired.kind === "leave") {
      expect(desired.because, `${knob.id} has ${stock}`).toMatch(/host has|this kernel has no/);
      return;
    }
    const [write] = knob.writes(desired.value, { name: "" }, current);
    if (write?.kind !== "kernel-file") throw new Error(`${knob.id} writes no kernel file`);
    const found = inNamespace('printf %s "$2" > "$1" && cat "$1"', write.path, write.text);
    expect(found.trim().split(/\s+/).join(" ")).toBe(String(desired.value));
  });

  it.each([
    ["net.core.somaxconn", "2147483648"],
    ["net.ipv4.tcp_tw_reuse", "3"],
    ["net.ipv4.tcp_retries2", "256"],
    ["net.ipv4.tcp_notsent_lowat", "4294967296"],
    ["net.ipv4.tcp_rmem", "4096 131072 2147483648"],
    ["net.ipv4.ip_local_port_range", "60000 50000"],
    ["net.ipv4.ip_local_reserved_ports", "70000"],
  ])("%s: what the knob refuses, %s, the kernel refuses too", (id, text) => {
    const knob = knobs.find((candidate) => candidate.id === id);
    const value = /^\d+$/.test(text) && id !== "net.ipv4.ip_local_reserved_ports" ? Number(text) : text;
    expect(knob?.value.safeParse(value).success).toBe(false);
    const path = `/proc/sys/${id.replaceAll(".", "/")}`;
    const script = 'printf "%s\\n" "$2" 2>/dev/null > "$1" || echo refused';
    expect(inNamespace(`(${script}) 2>/dev/null`, path, text).trim()).toBe("refused");
  });

  it("has every one of these files in a fresh namespace", () => {
    const there = new Set(inNamespace("cd /proc/sys && find net -type f").split("\n"));
    expect(knobs.map((knob) => knob.id.replaceAll(".", "/")).filter((path) => !there.has(path))).toEqual([]);
  });
});
