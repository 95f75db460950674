import { readFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { stringify } from "yaml";
import * as z from "zod";
import { DRIFT_TIMER, HOST_PATHS, LATE_UNIT, SERVICE_UNIT } from "../../host-tuning/boot/paths.ts";
import { DEFAULT_DRIFT_MINUTES, renderDriftInterval } from "../../host-tuning/boot/units.ts";
import { InputError } from "../../host-tuning/errors.ts";
import { hostProfileSchema } from "../../host-tuning/profile/host-profile.ts";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { renderServiceUnit, serviceSettingsSchema } from "./service-unit.ts";

/** EC2's limit on user data, before base64. */
export const USER_DATA_LIMIT_BYTES = 16_384;

/**
 * Addresses where plain http is allowed: what a QEMU machine's user network forwards to the machine it runs on
 * (10.0.2.100 is components/hosts/local-vm's artifact address, 10.0.2.2 the machine itself), and loopback.
 */
const PLAIN_HTTP_HOSTS: ReadonlySet<string> = new Set(["10.0.2.100", "10.0.2.2", "127.0.0.1"]);

function isArtifactUrl(text: string): boolean {
  if (/[\s"'\\]/.test(text) || !URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return false;
  // A file that is on the host already: baked into its image, or copied there.
  if (url.protocol === "file:") return url.host === "" && text === `file://${url.pathname}`;
  if (url.protocol === "http:") return PLAIN_HTTP_HOSTS.has(url.hostname);
  return url.protocol === "https:" || (url.protocol === "s3:" && url.pathname.length > 1);
}

/** An archive in a place that the host can read, pinned by its digest. */
const artifactSchema = z.strictObject({
  url: z
    .string()
    .refine(
      isArtifactUrl,
      "an s3:// or https:// address without credentials, file:// for what is on the host, or http://10.0.2.100/ for a local machine",
    ),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "64 lower-case hexadecimal digits"),
});

/** A public key as it stands in authorized_keys. No private key ever passes: it would be readable from metadata. */
const authorizedKeySchema = z
  .string()
  .regex(
    /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com) [A-Za-z0-9+/]+=*( [ -~]*)?$/,
    "an OpenSSH public key on one line",
  );

export const userDataSchema = z
  .strictObject({
    profile: hostProfileSchema,
    artifacts: z.strictObject({ agent: artifactSchema, service: artifactSchema.optional() }),
    service: serviceSettingsSchema.optional(),
    sshAuthorizedKeys: z.array(authorizedKeySchema).max(16).default([]),
  })
  .superRefine((input, context) => {
    if (input.service !== undefined && input.artifacts.service === undefined) {
      context.addIssue({
        code: "custom",
        path: ["artifacts", "service"],
        message: "missing, and service is set",
      });
    }
    if (input.artifacts.service !== undefined && input.profile.service.runtime !== "systemd") {
      context.addIssue({
        code: "custom",
        path: ["artifacts", "service"],
        message: `the profile's service runs on ${input.profile.service.runtime}, not as a unit of the host`,
      });
    }
  });

export type UserDataInput = z.input<typeof userDataSchema>;

export interface UserData {
  /** What cloud-init reads, `#cloud-config` and YAML. */
  readonly text: string;
  /** Bytes that count against the limit: of the text, or of its gzip form. */
  readonly bytes: number;
  readonly encoding: "plain" | "gzip";
  /** Base64 of those bytes, as a launch template takes them. */
  readonly encoded: string;
}

const INSTALLER_TEXT = readFileSync(path.join(import.meta.dirname, "bedplate-install.sh"), "utf8");

/** A file of a host. */
export interface FileEntry {
  readonly path: string;
  readonly content: string;
  /** As chmod takes it, "0644". */
  readonly permissions: string;
}

/** The timer's unit comes with the archive; an interval of the profile's own is a drop-in. */
function driftFiles({ profile }: z.output<typeof userDataSchema>): FileEntry[] {
  const { intervalMinutes } = profile.drift;
  if (intervalMinutes === DEFAULT_DRIFT_MINUTES) return [];
  return [
    {
      path: `${HOST_PATHS.unitFolder}/${DRIFT_TIMER}.d/10-interval.conf`,
      content: renderDriftInterval(intervalMinutes),
      permissions: "0644",
    },
  ];
}

/** Files of a service that runs as a unit of the host. */
function serviceFiles(input: z.output<typeof userDataSchema>): FileEntry[] {
  const { unit } = input.profile.service;
  const files: FileEntry[] = [];
  if (input.artifacts.service !== undefined) {
    const settings = input.service ?? serviceSettingsSchema.parse({});
    files.push({
      path: `${HOST_PATHS.unitFolder}/${unit}`,
      content: renderServiceUnit({
        ...settings,
        maxSubscriptions: settings.maxSubscriptions ?? Math.max(1, input.profile.workload.streams),
      }),
      permissions: "0644",
    });
  }
  if (unit !== SERVICE_UNIT && input.profile.service.runtime === "systemd") {
    files.push({
      path: `${HOST_PATHS.unitFolder}/${LATE_UNIT}.d/10-service.conf`,
      content: `[Unit]\nBefore=${unit}\n`,
      permissions: "0644",
    });
  }
  return files;
}

/**
 * The files that make a host one of ours: its profile, what it installs, the service's unit and the installer. They hold
 * no secret, as everything on a host can read them.
 *
 * @throws {InputError} when the input is wrong
 */
export function renderHostFiles(data: UserDataInput): FileEntry[] {
  const input = parseContract(userDataSchema, data, "user data");
  const { agent, service } = input.artifacts;
  const artifactLines = [`agent ${agent.sha256} ${agent.url}`];
  if (service !== undefined) {
    artifactLines.push(`service ${service.sha256} ${service.url} ${input.profile.service.unit}`);
  }
  return [
    { path: HOST_PATHS.profile, content: stringify(input.profile), permissions: "0644" },
    { path: HOST_PATHS.artifacts, content: `${artifactLines.join("\n")}\n`, permissions: "0644" },
    ...driftFiles(input),
    ...serviceFiles(input),
    { path: HOST_PATHS.installer, content: INSTALLER_TEXT, permissions: "0755" },
  ];
}

/**
 * User data of a host: a cloud-config that writes the host's files and runs the installer once. Pure: the same input
 * gives the same bytes.
 *
 * Plain text where it fits, as people read it in a console; gzip above the limit, which cloud-init and nodeadm take.
 *
 * @throws {InputError} when the input is wrong, or when even the gzip form is above 16 KiB
 */
export function renderUserData(data: UserDataInput): UserData {
  const input = parseContract(userDataSchema, data, "user data");
  const config = {
    ssh_pwauth: false,
    ...(input.sshAuthorizedKeys.length > 0 ? { ssh_authorized_keys: input.sshAuthorizedKeys } : {}),
    write_files: renderHostFiles(data).map((file) => ({ ...file, owner: "root:root" })),
    runcmd: [[HOST_PATHS.installer]],
  };
  const text = `#cloud-config\n${stringify(config, { lineWidth: 0, aliasDuplicateObjects: false })}`;
  return encodeUserData(text);
}

function encodeUserData(text: string): UserData {
  const plain = Buffer.from(text, "utf8");
  if (plain.length <= USER_DATA_LIMIT_BYTES) {
    return { text, bytes: plain.length, encoding: "plain", encoded: plain.toString("base64") };
  }
  const packed = gzipSync(plain, { level: 9 });
  if (packed.length > USER_DATA_LIMIT_BYTES) {
    throw new InputError("user data", [
      {
        path: "",
        message: `${plain.length} bytes, and ${packed.length} bytes with gzip, are above the limit of ${USER_DATA_LIMIT_BYTES}`,
      },
    ]);
  }
  return { text, bytes: packed.length, encoding: "gzip", encoded: packed.toString("base64") };
}
