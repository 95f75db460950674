import { describe, expect, it } from "vitest";
import { systemdNetworkNamespaceSysctls as knob } from "../../../host-tuning/knobs/systemd-network-namespace-sysctls.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { decide, valueSet } from "../../helpers/decide.ts";
import { type HostTree, createHostRoot } from "../../helpers/host-root.ts";

const UNIT = { name: "mcp-service.service" };
const FOLDER = "/etc/systemd/system";
const DROP_IN = `${FOLDER}/mcp-service.service.d/50-bedplate-network-namespace.conf`;

async function readOn(tree: HostTree): Promise<unknown> {
  await using host = await createHostRoot(tree);
  return await knob.read(openHost(host.root), UNIT);
}

function unit(...lines: string[]): HostTree {
  return { [`${FOLDER}/mcp-service.service`]: ["[Service]", ...lines, ""].join("\n") };
}

describe("systemd.NetworkNamespaceSysctls", () => {
  it.each([
    ["PrivateNetwork=yes", true],
    ["PrivateNetwork=true", true],
    ["NetworkNamespacePath=/run/netns/mcp", true],
    ["PrivateNetwork=no", false],
    ["PrivateTmp=yes", false],
  ])("with %s: there is something to set: %s", async (line, isThere) => {
    expect((await readOn(unit(line))) !== undefined).toBe(isThere);
  });

  it("goes by the last assignment, as systemd does", async () => {
    expect(await readOn(unit("PrivateNetwork=yes", "PrivateNetwork=no"))).toBeUndefined();
    expect(
      await readOn(unit("NetworkNamespacePath=/run/netns/mcp", "NetworkNamespacePath=")),
    ).toBeUndefined();
  });

  it("reads its own drop-in back, and no other ExecStartPre=", async () => {
    const value = "net.core.somaxconn=65536; net.ipv4.ip_local_port_range=16384 65535";
    const [write] = knob.writes(value, UNIT, "");
    if (write?.kind !== "config-file") throw new Error("expected one file");
    expect(write.path).toBe(DROP_IN);
    expect(write.text).toContain(
      'ExecStartPre=-+sysctl -e -q -w "net.core.somaxconn=65536" "net.ipv4.ip_local_port_range=16384 65535"',
    );
    const other = unit("PrivateNetwork=yes", 'ExecStartPre=/bin/echo "net.core.somaxconn=1"');
    expect(await readOn({ ...other, [DROP_IN]: write.text ?? "" })).toBe(value);
    expect(await readOn(other)).toBe("");
  });

  it("wants what a new namespace lacks, and is content with more settings than those", () => {
    const situation = { current: "", profile: { workload: { connections: 50_000 } } };
    const wanted = String(valueSet(knob, situation));
    expect(wanted).toContain("net.core.somaxconn=65536");
    expect(wanted).not.toContain("tcp_rmem");
    expect(knob.isSatisfied?.(`net.ipv4.tcp_fin_timeout=30; ${wanted}`, wanted)).toBe(true);
    expect(knob.isSatisfied?.(`net.core.somaxconn=4096, ${wanted} after a restart`, wanted)).toBe(true);
    expect(knob.isSatisfied?.("", wanted)).toBe(false);
    expect(knob.isSatisfied?.(wanted.replace("65536", "128"), wanted)).toBe(false);
  });

  it("never takes text that would leave the quotes of its line", () => {
    for (const text of [
      'net.core.somaxconn=1" /bin/sh "',
      "net.core.somaxconn=%i",
      "net.core.somaxconn=$(id)",
      "x",
    ])
      expect(knob.value.safeParse(text).success, text).toBe(false);
    expect(knob.value.safeParse(valueSet(knob, { current: "" })).success).toBe(true);
    expect(decide(knob, { current: "" }).because).toContain("a network namespace of its own");
  });
});
