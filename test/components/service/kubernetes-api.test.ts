import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { parse, stringify } from "yaml";
import { storageClassInputs } from "../../../components/cluster/storage-class.ts";
import { environmentSchema, ownerTags } from "../../../components/environment/environment-spec.ts";
import { prod } from "../../../stacks/prod.ts";
import { prometheusOperatorCrds } from "../../../tools/kubernetes/get-apiserver.ts";
import {
  type ApiAnswer,
  ETCD,
  KUBE_APISERVER,
  KubeApiserver,
  type KubernetesObject,
  untilAnswer,
} from "../../helpers/kube-apiserver.ts";
import { describeWith } from "../../helpers/needs.ts";
import { errorsOf, previewEnvironment } from "../../helpers/preview-environment.ts";
import { PROGRAM_LIMIT_MILLIS, type ProgramRun } from "../../helpers/program-host.ts";

vi.setConfig({ testTimeout: PROGRAM_LIMIT_MILLIS, hookTimeout: 4 * PROGRAM_LIMIT_MILLIS });

const NAMESPACE = "mcp-gateway-prod";

/** Everything that the service can ask of a cluster. */
const SERVICE = {
  ...prod.service,
  replicas: 2,
  podSysctls: [
    { name: "net.core.somaxconn", value: "65536" },
    { name: "net.ipv4.ip_local_port_range", value: "1024 65535" },
  ],
  allowedHosts: ["mcp.example.com"],
  kubernetes: {
    scaling: { maxReplicas: 3, inFlightPerReplica: 50 },
    hugepages: { mebibytes: 64 },
    devices: { "nvidia.com/gpu": 1, "vpc.amazonaws.com/efa": 1 },
    networks: ["sriov/fast@net1"],
    callerNamespaces: ["agents"],
    monitoring: { labels: { release: "prometheus" } },
  },
};

/** What the provider sends, the namespace first: the inputs, and for a name that nobody gave one of its own making. */
function objectsOf(run: ProgramRun): readonly KubernetesObject[] {
  return run.resources
    .filter(({ type, isCustom }) => isCustom && type.startsWith("kubernetes:"))
    .map(({ name, inputs }) => {
      const object = inputs as unknown as KubernetesObject;
      return { ...object, metadata: { ...object.metadata, name: object.metadata.name ?? ownName(name) } };
    })
    .toSorted((a, b) => Number(b.kind === "Namespace") - Number(a.kind === "Namespace"));
}

function ownName(name: string): string {
  return `${name}-0a1b2c3d`;
}

/** Kinds whose names the program gives. */
const NAMED = /:(Namespace|ServiceAccount|Service|ValidatingAdmissionPolicy(Binding)?)$/;

function outputsOf(type: string, name: string): Record<string, unknown> {
  if (!type.startsWith("kubernetes:") || NAMED.test(type)) return {};
  return { metadata: { name: ownName(name), namespace: NAMESPACE } };
}

type PodSpec = Record<string, unknown> & {
  securityContext: Record<string, unknown>;
  containers: [Record<string, unknown> & { securityContext: Record<string, unknown> }];
};

describeWith([KUBE_APISERVER, ETCD], "a Kubernetes API server", () => {
  let server: KubeApiserver;
  let folder: string;
  let objects: readonly KubernetesObject[];
  const answers = new Map<string, ApiAnswer>();

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "bedplate-kubernetes-"));
    const file = path.join(folder, "prod.yaml");
    writeFileSync(file, stringify({ ...prod, service: SERVICE }));
    const [started, run] = await Promise.all([
      KubeApiserver.start(),
      previewEnvironment("prod", { isPreview: false, outputsOf, config: { environmentFile: file } }),
    ]);
    server = started;
    expect(run.exitCode, errorsOf(run)).toBe(0);
    const crds = await prometheusOperatorCrds();
    for (const name of readdirSync(crds).filter((crd) =>
      /_(servicemonitors|prometheusrules)\.yaml$/.test(crd),
    ))
      await server.apply(parse(readFileSync(path.join(crds, name), "utf8")) as KubernetesObject);
    objects = objectsOf(run);
    for (const object of objects) {
      const answer = await untilAnswer(
        () => server.apply(object),
        ({ status }) => status !== 404,
      );
      answers.set(`${object.kind} ${object.metadata.name}`, answer);
    }
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function find(kind: string): KubernetesObject {
    const object = objects.find((candidate) => candidate.kind === kind);
    if (object === undefined) throw new Error(`No ${kind} was made`);
    return object;
  }

  /** A pod as the Deployment's controller would make it, with changes. */
  function podWith(name: string, change: (spec: PodSpec) => unknown): KubernetesObject {
    const { template } = find("Deployment")["spec"] as { template: { metadata: object; spec: PodSpec } };
    const spec = structuredClone(template.spec);
    change(spec);
    return {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...template.metadata, name, namespace: NAMESPACE },
      spec,
    };
  }

  function setQuota(used: Record<string, string>): Promise<ApiAnswer> {
    const quota = find("ResourceQuota");
    const { hard } = quota["spec"] as { hard: Record<string, string> };
    const none = Object.fromEntries(Object.keys(hard).map((resource) => [resource, "0"]));
    return server.setStatus(quota, { hard, used: { ...none, ...used } });
  }

  test("takes everything that an environment with all settings makes, field by field", () => {
    const refused = [...answers].filter(([, { status }]) => status !== 200 && status !== 201);
    expect(refused.map(([what, { body }]) => `${what}: ${String(body["message"])}`)).toEqual([]);
    expect([...answers.keys()].map((key) => key.split(" ", 1).join("")).toSorted()).toEqual([
      "Deployment",
      "HorizontalPodAutoscaler",
      "Namespace",
      "NetworkPolicy",
      "NetworkPolicy",
      "PodDisruptionBudget",
      "PrometheusRule",
      "ResourceQuota",
      "Service",
      "ServiceAccount",
      "ServiceMonitor",
      "ValidatingAdmissionPolicy",
      "ValidatingAdmissionPolicyBinding",
    ]);
  });

  test("fails for a field that there is not: what it takes proves something", async () => {
    const object = find("NetworkPolicy");
    const wrong = { ...object, spec: { ...(object["spec"] as object), podSelektor: {} } };
    const { status, body } = await server.apply(wrong);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(body["message"]).toContain(".spec.podSelektor: field not declared in schema");
  });

  test("gives a claim that names no class an encrypted volume, as it does with the class of an own cluster", async () => {
    const keyArn = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d";
    const inputs = storageClassInputs(keyArn, ownerTags(environmentSchema.parse(prod)));
    const made = await server.apply({
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      ...inputs,
    });
    expect(made, JSON.stringify(made.body)).toMatchObject({ status: 201, warnings: [] });
    const claim = () =>
      server.tryCreate({
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name: "sessions", namespace: NAMESPACE },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "10Gi" } } },
      });
    const isGiven = ({ body }: ApiAnswer) =>
      (body["spec"] as { storageClassName?: string } | undefined)?.storageClassName !== undefined;
    expect((await untilAnswer(claim, isGiven)).body).toMatchObject({
      spec: { storageClassName: inputs.metadata.name },
    });
  });

  test("complains of the sysctl beyond the restricted standard, and of nothing else", () => {
    const warnings = [...answers].flatMap(([what, answer]) =>
      answer.warnings.map((text) => `${what}: ${text}`),
    );
    expect(warnings).toEqual([
      expect.stringMatching(
        /^Deployment .*would violate PodSecurity .*forbidden sysctls \(net\.core\.somaxconn\)"?$/,
      ),
    ]);
  });

  test("admits the pod, in the class that gets CPUs of its own, and no more pods than the quota has room for", async () => {
    const create = () => server.tryCreate(podWith("pod", () => undefined));
    await setQuota({});
    const admitted = await untilAnswer(create, ({ status }) => status === 201);
    expect(admitted.body).toMatchObject({ status: { qosClass: "Guaranteed" } });
    await setQuota({ pods: "7" });
    const refused = await untilAnswer(create, ({ status }) => status === 403);
    expect(refused.body["message"]).toContain("exceeded quota");
    await setQuota({});
    await untilAnswer(create, ({ status }) => status === 201);
  });

  test("refuses with the policy of its own what it refuses with the restricted standard", async () => {
    const standard: KubernetesObject = {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "standard", labels: { "pod-security.kubernetes.io/enforce": "restricted" } } as {
        name: string;
      },
    };
    await server.apply(standard);
    const context = (pod: PodSpec) => pod.containers[0].securityContext;
    const withVolume = (volume: object) => (pod: PodSpec) =>
      (pod["volumes"] = [...(pod["volumes"] as object[]), volume]);
    const changes: Readonly<Record<string, (pod: PodSpec) => unknown>> = {
      "host-network": (pod) => {
        pod["hostNetwork"] = true;
        delete pod.securityContext["sysctls"];
      },
      "host-pid": (pod) => (pod["hostPID"] = true),
      "host-ipc": (pod) => (pod["hostIPC"] = true),
      "host-path": withVolume({ name: "host", hostPath: { path: "/" } }),
      nfs: withVolume({ name: "nfs", nfs: { server: "files.example.com", path: "/" } }),
      "other-sysctl": (pod) => (pod.securityContext["sysctls"] = [{ name: "net.core.wmem_max", value: "1" }]),
      privileged: (pod) => {
        context(pod)["privileged"] = true;
        context(pod)["allowPrivilegeEscalation"] = true;
      },
      escalation: (pod) => delete context(pod)["allowPrivilegeEscalation"],
      "keeps-capabilities": (pod) => delete context(pod)["capabilities"],
      "adds-capability": (pod) => (context(pod)["capabilities"] = { drop: ["ALL"], add: ["NET_ADMIN"] }),
      "maybe-root": (pod) => delete pod.securityContext["runAsNonRoot"],
      "root-container": (pod) => (context(pod)["runAsNonRoot"] = false),
      "root-user": (pod) => (context(pod)["runAsUser"] = 0),
      "no-seccomp": (pod) => delete pod.securityContext["seccompProfile"],
      unconfined: (pod) => (context(pod)["seccompProfile"] = { type: "Unconfined" }),
      "no-app-armor": (pod) => (pod.securityContext["appArmorProfile"] = { type: "Unconfined" }),
      "se-linux-user": (pod) => (pod.securityContext["seLinuxOptions"] = { user: "system_u" }),
      "se-linux-type": (pod) => (context(pod)["seLinuxOptions"] = { type: "spc_t" }),
      "host-port": (pod) => (pod.containers[0]["ports"] = [{ containerPort: 8080, hostPort: 8080 }]),
      "probe-host": (pod) =>
        (pod.containers[0]["livenessProbe"] = { tcpSocket: { port: 1, host: "10.0.0.1" } }),
      "init-container": (pod) => {
        const { image, resources } = pod.containers[0];
        pod["initContainers"] = [{ name: "init", image, resources }];
      },
    };
    const allowed: typeof changes = {
      unchanged: () => undefined,
      "binds-low-port": (pod) =>
        (context(pod)["capabilities"] = { drop: ["ALL"], add: ["NET_BIND_SERVICE"] }),
      "local-seccomp": (pod) =>
        (pod.securityContext["seccompProfile"] = { type: "Localhost", localhostProfile: "mcp.json" }),
      "se-linux-level": (pod) => (pod.securityContext["seLinuxOptions"] = { level: "s0:c123,c456" }),
      projected: withVolume({ name: "token", projected: { sources: [] } }),
    };
    const own = (name: string, change: (pod: PodSpec) => unknown) => server.tryCreate(podWith(name, change));
    const plain = (name: string, change: (pod: PodSpec) => unknown) => {
      const pod = podWith(name, (spec) => {
        delete spec.securityContext["sysctls"];
        change(spec);
      });
      return server.tryCreate({ ...pod, metadata: { ...pod.metadata, namespace: "standard" } });
    };
    const escalation = changes["escalation"] ?? (() => undefined);
    await untilAnswer(
      () => own("escalation", escalation),
      ({ status }) => status === 422,
    );
    for (const [name, change] of Object.entries(changes)) {
      expect((await plain(name, change)).body["message"], name).toContain(
        'violates PodSecurity "restricted:latest"',
      );
      expect((await own(name, change)).body["message"], name).toMatch(
        /ValidatingAdmissionPolicy .* denied request/,
      );
    }
    for (const [name, change] of Object.entries(allowed)) {
      for (const { status, body } of [await plain(name, change), await own(name, change)])
        expect(status, `${name}: ${String(body["message"])}`).toBe(201);
    }
  });
});
