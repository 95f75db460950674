import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";

type PolicySpec = k8s.types.input.admissionregistration.v1.ValidatingAdmissionPolicySpec;

/**
 * Sysctls that a pod of the restricted standard may ask for, from Kubernetes 1.32 on.
 *
 * @see https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
 */
const SYSCTLS_OF_THE_STANDARD: ReadonlySet<string> = new Set([
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_wmem",
]);

/** What a pod asks for and the restricted standard refuses: net.core.somaxconn is one of these. */
export function sysctlsBeyondTheStandard(sysctls: readonly { readonly name: string }[]): readonly string[] {
  return sysctls.map(({ name }) => name).filter((name) => !SYSCTLS_OF_THE_STANDARD.has(name));
}

/**
 * Labels of the service's namespace. The standard knows no exception for one sysctl, so with such a one it only warns and
 * reports, and `restrictedButForSysctls` refuses in its place.
 */
export function podSecurityLabels(sysctls: readonly { readonly name: string }[]): Record<string, string> {
  const isBeyond = sysctlsBeyondTheStandard(sysctls).length > 0;
  return {
    "pod-security.kubernetes.io/enforce": isBeyond ? "privileged" : "restricted",
    "pod-security.kubernetes.io/audit": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
  };
}

/** Volumes that the restricted standard knows; every other kind reaches something of the node. */
const VOLUMES = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
];

/** A rule of the standard for every container: it has none of these settings that is not as the rule says. */
const CONTAINER_RULES: readonly { readonly rule: string; readonly message: string }[] = [
  { rule: "!(c.?securityContext.?privileged.orValue(false))", message: "privileged must be false" },
  {
    rule: "!c.?securityContext.?allowPrivilegeEscalation.orValue(true)",
    message: "allowPrivilegeEscalation must be false",
  },
  {
    rule: "c.?securityContext.?capabilities.?drop.orValue([]).exists(d, d == 'ALL') && c.?securityContext.?capabilities.?add.orValue([]).all(a, a == 'NET_BIND_SERVICE')",
    message: "capabilities must drop ALL and add NET_BIND_SERVICE at most",
  },
  {
    rule: "c.?securityContext.?runAsNonRoot.orValue(object.spec.?securityContext.?runAsNonRoot.orValue(false))",
    message: "runAsNonRoot must be true",
  },
  {
    rule: "c.?securityContext.?runAsUser.orValue(1) != 0 && object.spec.?securityContext.?runAsUser.orValue(1) != 0",
    message: "runAsUser must not be 0",
  },
  {
    rule: "c.?securityContext.?seccompProfile.?type.orValue(object.spec.?securityContext.?seccompProfile.?type.orValue('')) in ['RuntimeDefault', 'Localhost']",
    message: "seccompProfile must be RuntimeDefault or Localhost",
  },
  {
    rule: "c.?securityContext.?procMount.orValue('Default') == 'Default'",
    message: "procMount must be Default",
  },
  {
    rule: "c.?securityContext.?appArmorProfile.?type.orValue('RuntimeDefault') != 'Unconfined' && object.spec.?securityContext.?appArmorProfile.?type.orValue('RuntimeDefault') != 'Unconfined'",
    message: "appArmorProfile must not be Unconfined",
  },
  {
    rule: "[c.?securityContext.?seLinuxOptions, object.spec.?securityContext.?seLinuxOptions].all(s, !s.?user.hasValue() && !s.?role.hasValue() && s.?type.orValue('container_t') in ['container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'])",
    message: "seLinuxOptions must name no user, no role and a container's type",
  },
  { rule: "c.?ports.orValue([]).all(p, p.?hostPort.orValue(0) == 0)", message: "hostPort must not be set" },
  {
    rule: "[c.?livenessProbe, c.?readinessProbe, c.?startupProbe, c.?lifecycle.?postStart, c.?lifecycle.?preStop].all(h, !h.?httpGet.?host.hasValue() && !h.?tcpSocket.?host.hasValue())",
    message: "probes and hooks must name no host",
  },
];

/** Pure. The restricted standard, as far as it says anything on Linux, with these sysctls besides its own. */
export function restrictedButForSysctls(namespace: string, sysctls: readonly string[]): PolicySpec {
  const allowed = [...SYSCTLS_OF_THE_STANDARD, ...sysctls].map((name) => `'${name}'`).join(", ");
  return {
    failurePolicy: "Fail",
    matchConstraints: {
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
      resourceRules: [
        {
          apiGroups: [""],
          apiVersions: ["v1"],
          operations: ["CREATE", "UPDATE"],
          resources: ["pods", "pods/ephemeralcontainers"],
        },
      ],
    },
    validations: [
      {
        expression:
          "!object.spec.?hostNetwork.orValue(false) && !object.spec.?hostPID.orValue(false) && !object.spec.?hostIPC.orValue(false)",
        message: "restricted: hostNetwork, hostPID and hostIPC must be false",
      },
      {
        expression: `object.spec.?securityContext.?sysctls.orValue([]).all(s, s.name in [${allowed}])`,
        message: `restricted: sysctls beyond the standard's must be of ${sysctls.join(", ")}`,
      },
      {
        expression: `object.spec.?volumes.orValue([]).all(v, ${VOLUMES.map((kind) => `has(v.${kind})`).join(" || ")})`,
        message: `restricted: volumes must be of ${VOLUMES.join(", ")}`,
      },
      // One expression per list: their items are of different types.
      ...["containers", "initContainers", "ephemeralContainers"].flatMap((list) =>
        CONTAINER_RULES.map(({ rule, message }) => ({
          expression: `object.spec.?${list}.orValue([]).all(c, ${rule})`,
          message: `restricted: ${list}: ${message}`,
        })),
      ),
    ],
  };
}

/** Makes the policy and binds it to the namespace, before any pod is made in it. */
export function makePodSecurityPolicy(
  name: string,
  args: {
    readonly namespace: string;
    readonly sysctls: readonly string[];
    readonly labels: Readonly<Record<string, string>>;
  },
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource {
  const metadata = { name: `${args.namespace}-pod-security`, labels: args.labels };
  const policy = new k8s.admissionregistration.v1.ValidatingAdmissionPolicy(
    `${name}-pod-security`,
    { metadata, spec: restrictedButForSysctls(args.namespace, args.sysctls) },
    opts,
  );
  return new k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding(
    `${name}-pod-security`,
    { metadata, spec: { policyName: policy.metadata.name, validationActions: ["Deny"] } },
    opts,
  );
}
