import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { serviceSpecSchema } from "../../../components/environment/environment-spec.ts";
import { isMetadataRange, serviceNetworkPolicySpec } from "../../../components/service/network-policy.ts";
import { drainSeconds, networkAnnotations, servicePodSpec } from "../../../components/service/pod-spec.ts";
import { autoscalerSpec, quotaSpec } from "../../../components/service/service-capacity.ts";

const IMAGE = `registry.example.com/mcp@sha256:${"a".repeat(64)}`;
const SELECTOR = { "app.kubernetes.io/name": "mcp-service" };

function specOf(changes: Record<string, unknown>) {
  return { ...serviceSpecSchema.parse({ runtime: "kubernetes", image: IMAGE, ...changes }), image: IMAGE };
}

function podOf(
  changes: Record<string, unknown>,
  taints: readonly { key: string; value: string; effect: "NoSchedule" }[] = [],
) {
  return servicePodSpec({
    spec: specOf(changes),
    selector: SELECTOR,
    serviceAccountName: "mcp-service",
    hostNames: ["mcp-service", "mcp-service.ns.svc"],
    taints,
  });
}

/** Requests and limits of every container, as Kubernetes gets them. */
function resourcesOf(changes: Record<string, unknown>) {
  const { containers } = JSON.parse(JSON.stringify(podOf(changes))) as {
    containers: { resources: { requests: Record<string, string>; limits: Record<string, string> } }[];
  };
  return containers.map(({ resources }) => resources);
}

describe("servicePodSpec()", () => {
  test("hands the issuer of an environment to the service", () => {
    const authorization = { issuer: "https://login.example.com/", resource: "https://mcp.example.com/mcp" };
    const { containers } = JSON.parse(JSON.stringify(podOf({ authorization }))) as {
      containers: { env: { name: string; value: string }[] }[];
    };
    const env = new Map(containers[0]?.env.map(({ name, value }) => [name, value]));
    expect(env.get("AUTHORIZATION_ISSUER")).toBe(authorization.issuer);
    expect(env.get("AUTHORIZATION_RESOURCE")).toBe(authorization.resource);
    expect(env.has("AUTHORIZATION")).toBe(false);
  });

  test("requests what it is limited to, in whole CPUs, so that the kubelet can give it CPUs of its own", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 512 }),
        fc.integer({ min: 64, max: 1_000_000 }),
        fc.dictionary(
          fc.constantFrom("nvidia.com/gpu", "vpc.amazonaws.com/efa", "intel.com/sriov"),
          fc.integer({ min: 1, max: 8 }),
        ),
        (cpus, memoryMiB, devices) => {
          for (const { requests, limits } of resourcesOf({ cpus, memoryMiB, kubernetes: { devices } })) {
            expect(requests).toEqual(limits);
            expect(requests["cpu"]).toBe(String(cpus));
            for (const [name, count] of Object.entries(devices)) expect(requests[name]).toBe(String(count));
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

  test("is out of the endpoints while it drains, and not killed for it", () => {
    expect(podOf({})).toMatchObject({
      containers: [
        {
          readinessProbe: { httpGet: { path: "/readyz" } },
          livenessProbe: { httpGet: { path: "/healthz" } },
          startupProbe: { httpGet: { path: "/healthz" } },
        },
      ],
    });
  });

  test("takes calls by the names that clients in the cluster and outside use", () => {
    const pod = JSON.parse(JSON.stringify(podOf({ allowedHosts: ["mcp.example.com"] }))) as {
      containers: { env: { name: string; value: string }[] }[];
    };
    expect(pod.containers[0]?.env.find(({ name }) => name === "ALLOWED_HOSTS")?.value).toBe(
      "mcp-service,mcp-service.ns.svc,mcp.example.com",
    );
  });

  test("mounts the hugepages that it asks for", () => {
    const kubernetes = { hugepages: { sizeKiB: 1_048_576, mebibytes: 2048 } };
    expect(resourcesOf({ kubernetes })[0]?.requests["hugepages-1Gi"]).toBe("2048Mi");
    expect(podOf({ kubernetes })).toMatchObject({
      containers: [{ volumeMounts: [{}, { name: "hugepages", mountPath: "/dev/hugepages" }] }],
      volumes: [{}, { name: "hugepages", emptyDir: { medium: "HugePages-1Gi" } }],
    });
    expect(() => specOf({ kubernetes: { hugepages: { mebibytes: 3 } } })).toThrow("no whole number of pages");
  });

  test("goes to the pools that it names, whatever keeps others away from them", () => {
    const taint = { key: "example.com/gpu", value: "", effect: "NoSchedule" } as const;
    expect(podOf({ kubernetes: { hostPools: ["tools-gpu"] } }, [taint])).toMatchObject({
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: "bedplate.dev/pool", operator: "In", values: ["tools-gpu"] }] },
            ],
          },
        },
      },
      tolerations: [{ ...taint, operator: "Equal" }],
    });
    expect(podOf({}, [taint])).not.toHaveProperty("tolerations");
  });

  test("asks for the network settings that the environment names, and for none without", () => {
    const podSysctls = [{ name: "net.core.somaxconn", value: "65536" }];
    expect(podOf({ podSysctls })).toMatchObject({ securityContext: { sysctls: podSysctls } });
    expect(podOf({})).not.toHaveProperty("securityContext.sysctls");
    for (const name of ["vm.swappiness", "net", "net.ipv4/x", "kernel.shmmax"])
      expect(() => podOf({ podSysctls: [{ name, value: "1" }] })).toThrow("sysctl of the network");
  });
});

test("networkAnnotations() names what Multus attaches, and nothing without", () => {
  expect(networkAnnotations(specOf({ kubernetes: { networks: ["sriov/fast@net1", "storage"] } }))).toEqual({
    "k8s.v1.cni.cncf.io/networks": "sriov/fast@net1,storage",
  });
  expect(networkAnnotations(specOf({}))).toEqual({});
});

describe("serviceNetworkPolicySpec()", () => {
  const policyOf = (changes: Partial<Parameters<typeof serviceNetworkPolicySpec>[0]>) =>
    JSON.parse(
      JSON.stringify(
        serviceNetworkPolicySpec({
          selector: SELECTOR,
          port: 8080,
          callerCidrs: [],
          outbound: [],
          ...changes,
        }),
      ),
    ) as {
      ingress: { from: Record<string, unknown>[] }[];
      egress: { to: { ipBlock?: { cidr: string; except?: string[] } }[] }[];
    };
  const blocksOf = (policy: ReturnType<typeof policyOf>) =>
    policy.egress.flatMap((rule) => rule.to).flatMap((to) => to.ipBlock ?? []);

  test("never lets the pods reach the metadata addresses", () => {
    const outbound = ["0.0.0.0/0", "169.254.0.0/16", "169.254.169.0/24"].map((cidr) => ({
      cidr,
      port: 5432,
      protocol: "tcp" as const,
    }));
    expect(blocksOf(policyOf({ outbound })).map(({ except }) => except)).toEqual([
      ["169.254.169.254/32", "169.254.170.0/24"],
      ["169.254.169.254/32", "169.254.170.0/24"],
      ["169.254.169.254/32", "169.254.170.0/24"],
      ["169.254.169.254/32"],
    ]);
    expect(["169.254.169.254/32", "169.254.170.23/32", "169.254.170.128/25"].map(isMetadataRange)).toEqual([
      true,
      true,
      true,
    ]);
    expect(["0.0.0.0/0", "169.254.0.0/16", "10.0.0.0/8"].map(isMetadataRange)).toEqual([false, false, false]);
  });

  test("names no exception outside of the block that it is of", () => {
    const blocks = blocksOf(policyOf({ outbound: [{ cidr: "10.0.3.0/24", port: 5432, protocol: "tcp" }] }));
    expect(blocks.at(-1)).toEqual({ cidr: "10.0.3.0/24" });
  });

  test("lets in every pod of the cluster, or those of the namespaces that are named, and a load balancer", () => {
    expect(policyOf({}).ingress[0]?.from).toEqual([{ namespaceSelector: {} }]);
    expect(policyOf({ callerNamespaces: ["agents"], callerCidrs: ["10.1.0.0/16"] }).ingress[0]?.from).toEqual(
      [
        { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "agents" } } },
        { ipBlock: { cidr: "10.1.0.0/16" } },
      ],
    );
  });
});

describe("quotaSpec()", () => {
  test("has room for a rollout of all replicas while their predecessors drain", () => {
    expect(
      quotaSpec(
        specOf({
          replicas: 2,
          cpus: 4,
          memoryMiB: 1024,
          kubernetes: {
            scaling: { maxReplicas: 5, inFlightPerReplica: 50 },
            devices: { "nvidia.com/gpu": 1 },
          },
        }),
      ),
    ).toEqual({
      hard: {
        pods: "11",
        "requests.cpu": "44",
        "limits.cpu": "44",
        "requests.memory": "11264Mi",
        "limits.memory": "11264Mi",
        "requests.nvidia.com/gpu": "11",
      },
    });
  });
});

describe("autoscalerSpec()", () => {
  const scaling = { maxReplicas: 12, inFlightPerReplica: 40 };

  test("follows the calls in flight between the two numbers of replicas", () => {
    expect(autoscalerSpec(specOf({ replicas: 3 }), scaling, "mcp")).toMatchObject({
      minReplicas: 3,
      maxReplicas: 12,
      metrics: [
        {
          type: "Pods",
          pods: { metric: { name: "mcp_requests_in_flight" }, target: { averageValue: "40" } },
        },
        { type: "Resource" },
      ],
    });
  });

  test("lets no replica go for a dip shorter than it takes to drain, within what the API takes", () => {
    const windows = [30, 900, 3600].map(
      (longestCallSeconds) =>
        JSON.parse(JSON.stringify(autoscalerSpec(specOf({ longestCallSeconds }), scaling, "mcp"))) as {
          behavior: { scaleDown: { stabilizationWindowSeconds: number } };
        },
    );
    expect(windows.map(({ behavior }) => behavior.scaleDown.stabilizationWindowSeconds)).toEqual([
      300, 900, 3600,
    ]);
  });
});
