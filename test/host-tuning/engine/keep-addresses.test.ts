import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addressesNow,
  keepingAddresses,
  patienceWithin,
  readAddressed,
} from "../../../host-tuning/engine/keep-addresses.ts";
import type { HostReport, NetworkRepair } from "../../../host-tuning/report/host-report.ts";
import type { ToolResult } from "../../../host-tuning/sys/host.ts";
import { type ToolHost, toolHost } from "../../helpers/tool-host.ts";

/** As `ip -j address show` of iproute2 6.1 prints it, shortened. */
function ipSays(addresses: Readonly<Record<string, readonly string[]>>): ToolResult {
  const stdout = JSON.stringify([
    { ifname: "lo", addr_info: [{ family: "inet", local: "127.0.0.1", scope: "host" }] },
    ...Object.entries(addresses).map(([ifname, families]) => ({
      ifname,
      addr_info: [
        { family: "inet6", local: "fe80::1", scope: "link" },
        ...families.map((family) => ({ family, scope: "global" })),
      ],
    })),
  ]);
  return { exitCode: 0, stdout, stderr: "" };
}

const SILENT: ToolResult = { exitCode: 124, stdout: "", stderr: "no answer within 30 s" };
const DONE: ToolResult = { exitCode: 0, stdout: "", stderr: "" };

/** A host that says one thing of its addresses after the other, the last for ever; `reconfigured` once it was asked. */
function hostThat(args: {
  readonly says: readonly [ToolResult | undefined, ...(ToolResult | undefined)[]];
  readonly reconfigured?: ToolResult;
  readonly networkd?: string;
  readonly isDown?: boolean;
}): ToolHost {
  const answers = [...args.says];
  let isAsked = false;
  const host = toolHost((tool) => {
    if (tool === "networkctl") {
      isAsked = true;
      return args.reconfigured === undefined ? { exitCode: 1, stdout: "", stderr: "no such link" } : DONE;
    }
    if (isAsked && args.reconfigured !== undefined) return args.reconfigured;
    return answers.length > 1 ? answers.shift() : answers[0];
  });
  const files = new Map([
    ["/sys/class/net/ens1/ifindex", "2\n"],
    ["/sys/class/net/ens1/carrier", args.isDown === true ? undefined : "1\n"],
    [
      "/run/systemd/netif/links/2",
      args.networkd === undefined ? undefined : `ADMIN_STATE=${args.networkd}\n`,
    ],
  ]);
  return { ...host, readText: (path) => Promise.resolve(files.get(path)) };
}

const EMPTY: HostReport = {
  apiVersion: "bedplate/v1",
  kind: "HostReport",
  verb: "apply",
  agentVersion: "0.1.0",
  hostname: null,
  kernelRelease: null,
  bootId: null,
  phase: "all",
  startedAt: "2026-11-21T20:00:00Z",
  durationMillis: 0,
  phases: [],
  planDigest: null,
  counts: {
    changed: 0,
    "already-right": 0,
    left: 0,
    unsupported: 0,
    "needs-reboot": 0,
    failed: 0,
  },
  drifted: 0,
  entries: [],
};

async function repairsOf(host: ToolHost, ownMillis = 20): Promise<NetworkRepair[]> {
  const network: NetworkRepair[] = [];
  const run = { network, timed: async <T>(_: string, work: () => Promise<T>) => await work() };
  const result = await keepingAddresses(host, run, () => Promise.resolve("done"), {
    ownMillis,
    askedMillis: 20,
    pollMillis: 1,
  });
  expect(result).toBe("done");
  return network;
}

const askedOf = (host: ToolHost): string[] =>
  host.calls.filter(([tool]) => tool === "networkctl").map((words) => words.join(" "));

describe("keepingAddresses()", () => {
  it("says nothing of an address that comes back by itself", async () => {
    const host = hostThat({
      says: [ipSays({ ens1: ["inet"] }), ipSays({ ens1: [] }), SILENT, ipSays({ ens1: ["inet"] })],
      networkd: "configuring",
    });
    expect(await repairsOf(host, 60_000)).toEqual([]);
    expect(askedOf(host)).toEqual([]);
  });

  it("has a link that systemd-networkd has given up configured anew, without waiting for it", async () => {
    const host = hostThat({
      says: [ipSays({ ens1: ["inet", "inet6"] }), ipSays({ ens1: ["inet6"] })],
      reconfigured: ipSays({ ens1: ["inet", "inet6"] }),
      networkd: "failed",
    });
    expect(await repairsOf(host, 60_000)).toEqual([
      {
        device: "ens1",
        families: ["IPv4"],
        state: "brought-back",
        because:
          "IPv4 did not come back after the link was reset; networkctl reconfigure ens1 (systemd-networkd: failed)",
      },
    ]);
    expect(askedOf(host)).toEqual(["networkctl reconfigure ens1"]);
  });

  it("asks for a link that stays without its addresses", async () => {
    const host = hostThat({
      says: [ipSays({ ens1: ["inet"] }), ipSays({ ens1: [] })],
      reconfigured: ipSays({ ens1: ["inet"] }),
      networkd: "configured",
    });
    expect(await repairsOf(host)).toMatchObject([{ device: "ens1", state: "brought-back" }]);
  });

  it("takes a kernel that does not answer for no news, good or bad", async () => {
    const there = ipSays({ ens1: ["inet"] });
    const late = hostThat({
      says: [there, SILENT, ipSays({ ens1: [] })],
      reconfigured: there,
      networkd: "configured",
    });
    expect(await repairsOf(late)).toMatchObject([{ device: "ens1", state: "brought-back" }]);
    const silent = hostThat({ says: [there, SILENT], reconfigured: there, networkd: "configured" });
    expect(await repairsOf(silent)).toEqual([]);
    expect(askedOf(silent)).toEqual([]);
  });

  it("says what is lost where asking does not help, or there is nobody to ask", async () => {
    const says = [ipSays({ ens1: ["inet"] }), ipSays({ ens1: [] })] as const;
    expect(await repairsOf(hostThat({ says, networkd: "configured" }))).toMatchObject([
      { state: "lost", because: expect.stringContaining("did not work: no such link") as unknown },
    ]);
    for (const networkd of [undefined, "unmanaged"]) {
      const host = hostThat({ says, ...(networkd === undefined ? {} : { networkd }) });
      expect(await repairsOf(host)).toMatchObject([
        { state: "lost", because: expect.stringContaining("does not manage it") as unknown },
      ]);
      expect(askedOf(host)).toEqual([]);
    }
  });

  it("asks nobody for the address of a link that is down: that would take it up", async () => {
    const host = hostThat({
      says: [ipSays({ ens1: ["inet"] }), ipSays({ ens1: [] })],
      reconfigured: ipSays({ ens1: ["inet"] }),
      networkd: "configured",
      isDown: true,
    });
    expect(await repairsOf(host)).toMatchObject([
      { state: "lost", because: expect.stringContaining("its link is down") as unknown },
    ]);
    expect(askedOf(host)).toEqual([]);
  });

  it("leaves a dead-man timer's rollback a quarter of its time at least", () => {
    for (const seconds of [1, 30, 120, 3600]) {
      const { ownMillis, askedMillis } = patienceWithin(seconds);
      expect(ownMillis + askedMillis).toBeLessThanOrEqual((seconds * 1000) / 4);
    }
  });

  it("expects nothing of an interface that is gone or never had an address", async () => {
    const host = hostThat({ says: [ipSays({ ens1v0: ["inet"], ens2: [] }), ipSays({ ens2: [] })] });
    expect(await repairsOf(host)).toEqual([]);
  });

  it("does its work where nothing can be told of addresses, and looks no further", async () => {
    for (const says of [undefined, SILENT, { ...DONE, stdout: "not JSON" }]) {
      const host = hostThat({ says: [says] });
      expect(await repairsOf(host)).toEqual([]);
      expect(host.calls).toHaveLength(1);
    }
    const captured = { ...hostThat({ says: [SILENT] }), isLive: false };
    expect(await repairsOf(captured)).toEqual([]);
    expect(captured.calls).toEqual([]);
  });
});

describe("addressesNow()", () => {
  const lost = {
    device: "ens1",
    families: ["IPv4" as const],
    state: "lost" as const,
    because: "IPv4 did not come back",
  };
  const reportWith = (network: readonly NetworkRepair[]): HostReport => ({ ...EMPTY, network: [...network] });

  it("calls an address that is there again by the end brought back, and one that is not lost", async () => {
    const report = reportWith([lost, { ...lost, device: "ens2" }]);
    const host = toolHost(() => ipSays({ ens1: ["inet"], ens2: ["inet6"] }));
    expect((await addressesNow(host, report)).network).toMatchObject([
      { device: "ens1", state: "brought-back" },
      { device: "ens2", state: "lost" },
    ]);
    expect(
      (
        await addressesNow(
          toolHost(() => SILENT),
          report,
        )
      ).network,
    ).toEqual(report.network);
  });

  it("looks only where something was lost", async () => {
    const host = toolHost(() => SILENT);
    const report = reportWith([{ ...lost, state: "brought-back" }]);
    expect(await addressesNow(host, report)).toBe(report);
    expect(host.calls).toEqual([]);
  });
});

describe("readAddressed()", () => {
  it("takes any output: addresses, or that it cannot be told", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string(), fc.json(), fc.constant('[{"ifname":"a","addr_info":[{"family":"inet"}]}]')),
        async (stdout) => {
          const said = await readAddressed(toolHost(() => ({ exitCode: 0, stdout, stderr: "" })));
          if (said !== undefined) for (const families of said.values()) expect(families).toEqual([]);
        },
      ),
    );
  });
});
