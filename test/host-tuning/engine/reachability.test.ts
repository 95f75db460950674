import { execFileSync, spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { parseGateways4, parseGateways6 } from "../../../host-tuning/engine/default-gateway.ts";
import { whyNotReachable } from "../../../host-tuning/engine/reachability.ts";
import { type Part, ROOT_USER, describeWith, program } from "../../helpers/needs.ts";
import { toolHost } from "../../helpers/tool-host.ts";
import type { RoundResult } from "./reachability-round.ts";

const HEADER = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

describe("parseGateways4()", () => {
  it("gives gateways of default routes, and neither other routes nor a default route without a gateway", () => {
    const text = `${HEADER}eth0\t00000000\t0202000A\t0003\t0\t0\t1024\t00000000\t0\t0\t0
wg0\t00000000\t00000000\t0001\t0\t0\t5\t00000000\t0\t0\t0
eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth1\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
`;
    expect(parseGateways4(text)).toEqual([
      { address: "10.0.2.2", device: "eth0", family: 4, metric: 1024 },
      { address: "192.168.1.1", device: "eth1", family: 4, metric: 100 },
    ]);
  });
});

describe("parseGateways6()", () => {
  it("gives the gateway in the form in which ip prints it, and passes over the rejecting route", () => {
    const text = `00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe80000000000000021122fffe334455 00000400 00000001 00000000 00450003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`;
    expect(parseGateways6(text)).toEqual([
      { address: "fe80::211:22ff:fe33:4455", device: "eth0", family: 6, metric: 1024 },
    ]);
  });
});

describe("whyNotReachable()", () => {
  it("fails for a host without a default route", async () => {
    const routeless = { ...toolHost(() => undefined), readText: async () => await Promise.resolve(HEADER) };
    const confirm = { timeoutSeconds: 10, gateway: true, probes: [] };
    expect(await whyNotReachable(routeless, confirm, 0)).toBe("no default route with a gateway");
  });
});

/** A network namespace, so that this machine keeps its routes; /run is where `ip netns` keeps names. */
const INSIDE = ["--net", "--mount", "--", "sh", "-c"];
const SCRIPT = 'mount -t tmpfs names /run && exec "$@"';

const NAMESPACES: Part = {
  name: "network and mount namespaces",
  howToGet: "run as root where unshare(1) of util-linux may make them",
  isThere: () => spawnSync("unshare", [...INSIDE, SCRIPT, "sh", "true"], { timeout: 20_000 }).status === 0,
};

describeWith(
  [ROOT_USER, NAMESPACES, program("ip", "apt-get install iproute2", "-V")],
  "a real gateway",
  () => {
    it("is asked anew each time, so that one which has just fallen silent does not count", () => {
      const round = resolve(import.meta.dirname, "reachability-round.ts");
      const output = execFileSync("unshare", [...INSIDE, SCRIPT, "sh", process.execPath, round], {
        encoding: "utf8",
        timeout: 90_000,
      });
      const result = JSON.parse(output) as RoundResult;
      expect(result.gateway).toMatchObject({ address: "10.9.0.1", device: "up0" });
      expect(result.firstContact).toBeUndefined();
      expect(result.answers).toEqual([null, null, "127.0.0.1:1 does not accept a connection (ECONNREFUSED)"]);
      expect(result.deaf).toBe("the gateway 10.9.0.1 on up0 does not answer");
      expect(result.back).toBeUndefined();
      expect(result.noLink).toBe("no default route with a gateway");
      expect(result.gateway6).toMatchObject({ address: "fd00:9::1", device: "up0", family: 6 });
      expect(result.over6).toBeUndefined();
      expect(result.deaf6).toBe("the gateway fd00:9::1 on up0 does not answer");
    }, 120_000);
  },
);
