import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { stringify } from "yaml";
import * as z from "zod";
import { HOST_PATHS, LATE_UNIT } from "../../host-tuning/boot/paths.ts";
import { renderUnit } from "../../host-tuning/boot/units.ts";
import { InputError } from "../../host-tuning/errors.ts";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import {
  type FileEntry,
  USER_DATA_LIMIT_BYTES,
  type UserData,
  type UserDataInput,
  renderHostFiles,
} from "./render-user-data.ts";

/** Where a node finds its cluster; nodeadm's own names. */
export const clusterDetailsSchema = z.strictObject({
  name: z.string().regex(/^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/, "a name of an EKS cluster"),
  apiServerEndpoint: z.httpUrl(),
  certificateAuthority: z.base64().min(1),
  cidr: z.cidrv4(),
});

export type ClusterDetails = z.output<typeof clusterDetailsSchema>;

const nodeSchema = z.strictObject({
  cluster: clusterDetailsSchema.optional().describe("Absent where EKS adds it: managed node groups"),
  labels: z.record(z.string().min(1).max(317), z.string().max(63)),
  taints: z.array(
    z.strictObject({
      key: z.string().min(1).max(317),
      value: z.string().max(63),
      effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
    }),
  ),
  drainSeconds: z.int().min(1).describe("How long pods may take to end when the node is shut down"),
});

export type EksNodeInput = z.input<typeof nodeSchema>;

/**
 * What EKS adds to the user data of a managed group, within the same limit: a part with the cluster's name, endpoint and
 * certificate authority, which has 1.5 KiB. Twice what was seen.
 */
const EKS_PART_BYTES = 4096;

/** For the node's own system pods, after all others have ended. The kubelet's documentation has such an example. */
const CRITICAL_PODS_SECONDS = 30;

const NODEADM_UNIT = "nodeadm-run.service";

/**
 * The kubelet starts on a host that is tuned, or not at all: nodeadm-run starts it, and asks first. `After` alone would let
 * it start where the agent failed, and `Requires` where it could not even be fetched.
 */
const NODEADM_GUARD: FileEntry = {
  path: `${HOST_PATHS.unitFolder}/${NODEADM_UNIT}.d/10-bedplate.conf`,
  content: renderUnit([
    { name: "Unit", lines: [["After", LATE_UNIT]] },
    {
      name: "Service",
      lines: [
        { why: `A node whose tuning failed does not join: journalctl -u ${LATE_UNIT}` },
        ["ExecStartPre", `/usr/bin/systemctl is-active ${LATE_UNIT}`],
      ],
    },
  ]),
  permissions: "0644",
};

/**
 * User data of an EKS node on Amazon Linux 2023: a MIME document with a part for nodeadm and one for cloud-init. The agent
 * runs in cloud-init's last step, which nodeadm-run waits for, so what it hands over to the kubelet is there in time.
 *
 * Pure. Readable where it fits, with cloud-init's part packed where it does not: EKS reads and extends the document of a
 * managed group, so the whole of it may not be packed.
 *
 * @see https://awslabs.github.io/amazon-eks-ami/nodeadm/doc/examples/
 * @throws {InputError} when the input is wrong, or when even the packed form is above what EKS leaves of 16 KiB
 */
export function renderEksUserData(data: UserDataInput, nodeData: EksNodeInput): UserData {
  const node = parseContract(nodeSchema, nodeData, "EKS node");
  const limitBytes =
    node.cluster === undefined ? USER_DATA_LIMIT_BYTES - EKS_PART_BYTES : USER_DATA_LIMIT_BYTES;
  const nodeConfig: Part = { headers: ["Content-Type: application/node.eks.aws"], body: nodeConfigOf(node) };
  const cloudConfig = cloudConfigOf(data);
  const plain = mimeOf([
    nodeConfig,
    { headers: ['Content-Type: text/cloud-config; charset="utf-8"'], body: cloudConfig },
  ]);
  if (Buffer.byteLength(plain) <= limitBytes) return userDataOf(plain, "plain");
  const packed = mimeOf([
    nodeConfig,
    {
      // cloud-init unpacks it and knows by its first line what it is; nodeadm passes over it.
      headers: ["Content-Type: application/gzip", "Content-Transfer-Encoding: base64"],
      body: inLines(gzipSync(cloudConfig, { level: 9 }).toString("base64")),
    },
  ]);
  const bytes = Buffer.byteLength(packed);
  if (bytes > limitBytes) {
    const message = `${Buffer.byteLength(plain)} bytes, and ${bytes} bytes packed, are above the limit of ${limitBytes}`;
    throw new InputError("user data", [{ path: "", message }]);
  }
  return userDataOf(packed, "gzip");
}

function userDataOf(text: string, encoding: UserData["encoding"]): UserData {
  const bytes = Buffer.from(text, "utf8");
  return { text, bytes: bytes.length, encoding, encoded: bytes.toString("base64") };
}

/** What is known before the node boots. What the agent measures on it is merged over this. */
function nodeConfigOf({ cluster, labels, taints, drainSeconds }: z.output<typeof nodeSchema>): string {
  const nodeLabels = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return stringify(
    {
      apiVersion: "node.eks.aws/v1alpha1",
      kind: "NodeConfig",
      spec: {
        ...(cluster === undefined ? {} : { cluster }),
        kubelet: {
          config: {
            shutdownGracePeriod: `${drainSeconds + CRITICAL_PODS_SECONDS}s`,
            shutdownGracePeriodCriticalPods: `${CRITICAL_PODS_SECONDS}s`,
            ...(taints.length === 0 ? {} : { registerWithTaints: taints }),
          },
          ...(nodeLabels.length === 0 ? {} : { flags: [`--node-labels=${nodeLabels.join(",")}`] }),
        },
      },
    },
    { lineWidth: 0 },
  );
}

function cloudConfigOf(data: UserDataInput): string {
  const files = [...renderHostFiles(data), NODEADM_GUARD];
  const config = {
    ssh_pwauth: false,
    write_files: files.map((file) => ({ ...file, owner: "root:root" })),
    // The guard has to be known even where the installer fails at its first step.
    runcmd: [["systemctl", "daemon-reload"], [HOST_PATHS.installer]],
  };
  return `#cloud-config\n${stringify(config, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

interface Part {
  readonly headers: readonly string[];
  readonly body: string;
}

/** The boundary is a digest of what it bounds: it stands in no part, and the same parts give the same document. */
function mimeOf(parts: readonly Part[]): string {
  const digest = createHash("sha256").update(parts.map(({ body }) => body).join("\0"));
  const boundary = `bedplate-${digest.digest("hex").slice(0, 32)}`;
  const blocks = parts.map(({ headers, body }) => `--${boundary}\n${headers.join("\n")}\n\n${body}\n`);
  return `MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="${boundary}"\n\n${blocks.join("")}--${boundary}--\n`;
}

/** Base64 in mail has lines of 76 characters at most. */
function inLines(text: string): string {
  return text.replaceAll(/.{76}/g, "$&\n");
}
