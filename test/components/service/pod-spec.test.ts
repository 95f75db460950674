import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { serviceNetworkPolicySpec } from "../../../components/service/network-policy.ts";
import { drainSeconds, servicePodSpec } from "../../../components/service/pod-spec.ts";
import { serviceSpecSchema } from "../../../components/environment/environment-spec.ts";

const IMAGE = `registry.example.com/mcp@sha256:${"a".repeat(64)}`;
const SELECTOR = { "app.kubernetes.io/name": "mcp-service" };

function podOf(changes: Record<string, unknown>) {
  const spec = serviceSpecSchema.parse({ runtime: "kubernetes", image: IMAGE, ...changes });
  return servicePodSpec({ ...spec, image: IMAGE }, SELECTOR);
}

describe("servicePodSpec()", () => {
  test("requests what it is limited to, in whole CPUs, so that the kubelet can give it CPUs of its own", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 512 }),
        fc.integer({ min: 64, max: 1_000_000 }),
        (cpus, memoryMiB) => {
          const pod = JSON.parse(JSON.stringify(podOf({ cpus, memoryMiB }))) as {
            containers: { resources: { requests: Record<string, string>; limits: Record<string, string> } }[];
          };
          for (const { resources } of pod.containers) {
            expect(resources.requests).toEqual(resources.limits);
            expect(resources.requests["cpu"]).toBe(String(cpus));
          }
        },
      ),
    );
  });

  test("drains for longer than the longest call", () => {
    for (const longestCallSeconds of [1, 30, 3600]) {
      expect(drainSeconds(longestCallSeconds)).toBeGreaterThan(longestCallSeconds);
      expect(podOf({ longestCallSeconds })).toMatchObject({
        terminationGracePeriodSeconds: drainSeconds(longestCallSeconds),
      });
    }
  });

  test("asks for the network settings that the environment names, and for none without", () => {
    const podSysctls = [{ name: "net.core.somaxconn", value: "65536" }];
    expect(podOf({ podSysctls })).toMatchObject({ securityContext: { sysctls: podSysctls } });
    expect(podOf({})).not.toHaveProperty("securityContext.sysctls");
    for (const name of ["vm.swappiness", "net", "net.ipv4/x", "kernel.shmmax"])
      expect(() => podOf({ podSysctls: [{ name, value: "1" }] })).toThrow("sysctl of the network");
  });

  test("fits the restricted pod security standard", () => {
    expect(podOf({})).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          image: IMAGE,
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
        },
      ],
    });
  });
});

test("serviceNetworkPolicySpec() never lets the pods reach the metadata addresses", () => {
  const policy = JSON.parse(JSON.stringify(serviceNetworkPolicySpec(SELECTOR, 8080))) as {
    egress: { to: { ipBlock?: { cidr: string; except: string[] } }[] }[];
  };
  const blocks = policy.egress.flatMap((rule) => rule.to).flatMap((to) => to.ipBlock ?? []);
  expect(blocks).toHaveLength(1);
  for (const block of blocks) expect(block.except).toContain("169.254.169.254/32");
});
