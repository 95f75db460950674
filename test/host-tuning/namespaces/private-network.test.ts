import { afterAll, beforeAll, expect, test } from "vitest";
import type { ServiceNamespace } from "../../../host-tuning/namespaces/service-namespace.ts";
import { agentArtifact, failuresOf, installAgent, runAgent } from "../../helpers/lab-agent.ts";
import { type Lab, endLab, LAB_PARTS, LAB_TIMEOUT_MILLIS, startLab } from "../../helpers/lab-vm.ts";
import { describeWith } from "../../helpers/needs.ts";

const UNIT = "mcp-service.service";
const KNOB = "systemd.NetworkNamespaceSysctls[mcp-service.service]";

const PROFILE = { workload: { connections: 50_000 }, service: { unit: UNIT, listenPorts: [8080] } };

/** A hardened service: with ProtectKernelTunables it could not set anything by itself. */
function unitFile(network: string): string {
  return `[Service]\n${network}\nProtectKernelTunables=yes\nDynamicUser=yes\nExecStart=/bin/sleep infinity\n`;
}

describeWith(LAB_PARTS, "a systemd service with a network namespace of its own", () => {
  let lab: Lab;

  const guest = async (command: string): Promise<string> => {
    const { stdout, stderr, exitCode } = await lab.vm.ssh(command, { timeoutMillis: 120_000 });
    expect({ command, stderr, exitCode }).toMatchObject({ exitCode: 0 });
    return stdout.trim();
  };

  /** What the kernel says inside, asked without the agent. */
  const inside = (path: string): Promise<string> =>
    guest(`nsenter -t $(systemctl show -P MainPID ${UNIT}) -n cat /proc/sys/net/${path}`);

  const restartWith = (network: string): Promise<string> =>
    guest(
      `printf %b '${unitFile(network).replaceAll("\n", String.raw`\n`)}' > /etc/systemd/system/${UNIT} && systemctl daemon-reload && systemctl restart ${UNIT}`,
    );

  const verify = async (): Promise<{
    own: ServiceNamespace | undefined;
    missing: string[];
    knob: string;
  }> => {
    const { report } = await runAgent(lab.vm, "verify");
    const own = report.namespaces?.find(({ isService }) => isService);
    const missing = own?.values.filter(({ isInForce }) => !isInForce).map(({ knob }) => knob) ?? [];
    return { own, missing, knob: report.entries.find(({ key }) => key === KNOB)?.outcome ?? "absent" };
  };

  beforeAll(async () => {
    lab = await startLab({
      memoryMiB: 1024,
      nvmeDisks: [],
      userData: "#cloud-config\n",
      artifacts: [await agentArtifact()],
    });
    await installAgent(lab.vm, PROFILE);
    await restartWith("PrivateNetwork=yes");
    const { report } = await runAgent(lab.vm, "apply");
    expect(failuresOf(report)).toEqual([]);
  }, LAB_TIMEOUT_MILLIS);

  afterAll(async () => {
    if (lab !== undefined) await endLab(lab);
  }, 120_000);

  test(
    "verify says that the host's tuning is a placebo for it until it starts again",
    async () => {
      expect(await guest("cat /proc/sys/net/core/somaxconn")).toBe("65536");
      expect(await inside("core/somaxconn")).toBe("4096");
      const { own, missing } = await verify();
      expect(missing).toEqual(
        expect.arrayContaining([
          "net.core.somaxconn",
          "net.ipv4.tcp_keepalive_time",
          "net.ipv4.tcp_retries2",
        ]),
      );
      expect(own?.because).toContain(`placebo for ${UNIT}`);
    },
    LAB_TIMEOUT_MILLIS,
  );

  test(
    "its drop-in sets the values inside at the next start, PrivateNetwork or NetworkNamespacePath",
    async () => {
      await guest(`systemctl restart ${UNIT}`);
      expect(await inside("core/somaxconn")).toBe("65536");
      expect(await inside("ipv4/ip_local_reserved_ports")).toBe("8080");
      expect(await inside("ipv4/tcp_retries2")).toBe("8");
      expect(await verify()).toMatchObject({ missing: [], knob: "already-right" });

      await guest("ip netns add mcp");
      await restartWith("NetworkNamespacePath=/run/netns/mcp");
      expect(await guest("ip netns exec mcp cat /proc/sys/net/core/somaxconn")).toBe("65536");
      expect(await verify()).toMatchObject({ missing: [], knob: "already-right" });
    },
    LAB_TIMEOUT_MILLIS,
  );

  test(
    "verify finds what somebody changed inside, where the host is as wanted",
    async () => {
      await guest("ip netns exec mcp sh -c 'echo 128 > /proc/sys/net/core/somaxconn'");
      const { missing, own } = await verify();
      expect(missing).toEqual(["net.core.somaxconn"]);
      expect(own?.values.find(({ knob }) => knob === "net.core.somaxconn")?.inForce).toBe("128");
      expect(await guest("cat /proc/sys/net/core/somaxconn")).toBe("65536");
    },
    LAB_TIMEOUT_MILLIS,
  );

  test(
    "rollback takes the drop-in away, and a service that shares the host's namespace is no finding",
    async () => {
      const { report } = await runAgent(lab.vm, "rollback");
      expect(failuresOf(report)).toEqual([]);
      await restartWith("PrivateNetwork=yes");
      expect(await inside("core/somaxconn")).toBe("4096");
      await restartWith("PrivateNetwork=no");
      expect(await verify()).toEqual({ own: undefined, missing: [], knob: "unsupported" });
    },
    LAB_TIMEOUT_MILLIS,
  );
});
