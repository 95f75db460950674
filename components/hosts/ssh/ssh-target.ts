import { homedir } from "node:os";
import path from "node:path";
import * as z from "zod";

/**
 * Whatever goes into ssh's configuration file or command line is a word here: no blank that would start another option,
 * no leading - that would be one.
 */
const hostAddressSchema = z
  .string()
  .regex(
    /^(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?)$/,
    "a host name or an IP address, without port, user or brackets",
  );

const loginUserSchema = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, "a login name: letters, digits, _ . -");

/** Key types that sshd offers today, with the algorithm name that stands inside the key's own bytes. */
const HOST_KEY = /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) ([A-Za-z0-9+/]+={0,2})(?: [ -~]*)?$/;

/**
 * A host's public key as `ssh-keyscan HOST` or /etc/ssh/ssh_host_ed25519_key.pub has it, its comment left out: what is
 * pinned is the key. Who takes it from the network has trusted the network once.
 */
const hostKeySchema = z
  .string()
  .refine(isHostKey, 'an OpenSSH public host key on one line, as in "ssh-ed25519 AAAA..."')
  .overwrite((key) => key.split(" ", 2).join(" "));

function isHostKey(text: string): boolean {
  const [, type, base64] = HOST_KEY.exec(text) ?? [];
  if (type === undefined || base64 === undefined) return false;
  const bytes = Buffer.from(base64, "base64");
  const length = bytes.length >= 4 ? bytes.readUInt32BE() : -1;
  return bytes.length > 4 + length && bytes.toString("latin1", 4, 4 + length) === type;
}

const portSchema = z.int().min(1).max(65_535);

const identityFileSchema = z
  .string()
  .regex(
    /^(~\/|\/)[^"\\\p{Cc}]+$/u,
    "an absolute path on this machine, or one below ~/, without quotes and backslashes",
  )
  .describe(
    "Private key on the machine that runs Pulumi; only its path is kept. Absent: ssh-agent, and ssh's usual files",
  );

/** A host that another is reached through; its key is pinned as well. */
export const jumpHostSchema = z.strictObject({
  address: hostAddressSchema,
  port: portSchema.default(22),
  user: loginUserSchema.default("root"),
  hostKey: hostKeySchema,
  identityFile: identityFileSchema.optional(),
});

/** What hosts that stand together mostly have in common. */
const loginShape = {
  port: portSchema,
  user: loginUserSchema,
  identityFile: identityFileSchema,
  proxyJump: jumpHostSchema,
  sudo: z.boolean().describe("The login user is not root and may run sudo without a password"),
};

/** How a pool's hosts are logged in to, where a host does not say otherwise. */
export const sshLoginSchema = z.strictObject(loginShape).partial();

/** One machine as an environment names it. Its name is its identity: it may move to another address. */
export const sshHostSchema = z.strictObject({
  ...sshLoginSchema.shape,
  address: hostAddressSchema,
  hostKey: hostKeySchema,
});

/** How a machine that exists already is reached. Holds no secret: a private key stays in its file or in ssh-agent. */
export const sshTargetSchema = z.strictObject({
  ...sshHostSchema.shape,
  port: loginShape.port.default(22),
  user: loginShape.user.default("root"),
  sudo: loginShape.sudo.default(false),
});

export type SshTarget = z.output<typeof sshTargetSchema>;
type JumpHost = z.output<typeof jumpHostSchema>;

/** Names of the two hosts in the files below, where no address can be mistaken for an option or a pattern. */
export const TARGET_ALIAS = "target";
const JUMP_ALIAS = "jump";

/** Files of one connection, in a folder that nobody else can read. */
export const CONNECTION_FILES = { config: "config", knownHosts: "known-hosts", control: "control" } as const;

/** The pinned keys, as ssh reads them. Each host is known by its alias, so that an address says nothing about trust. */
export function renderKnownHosts(target: SshTarget): string {
  const lines = [`${TARGET_ALIAS} ${target.hostKey}`];
  if (target.proxyJump !== undefined) lines.push(`${JUMP_ALIAS} ${target.proxyJump.hostKey}`);
  return `${lines.join("\n")}\n`;
}

/**
 * ssh's whole configuration for one host: the user's own could add proxies, agents or trust that make the pinning moot.
 * A file and not options, as ssh hands it on to the process that it starts for a jump.
 */
export function renderSshConfig(target: SshTarget, folder: string): string {
  const hosts = [
    hostBlock(TARGET_ALIAS, target, target.proxyJump === undefined ? [] : [`ProxyJump ${JUMP_ALIAS}`]),
    ...(target.proxyJump === undefined ? [] : [hostBlock(JUMP_ALIAS, target.proxyJump, [])]),
  ];
  return [...hosts, ["Host *", ...commonOptions(folder)]]
    .map(([head, ...options]) => [head, ...options.map((option) => `  ${option}`)].join("\n"))
    .join("\n")
    .concat("\n");
}

function hostBlock(alias: string, host: SshTarget | JumpHost, more: readonly string[]): string[] {
  return [
    `Host ${alias}`,
    `HostName ${host.address.replaceAll("%", "%%")}`,
    `Port ${host.port}`,
    `User ${host.user}`,
    `HostKeyAlias ${alias}`,
    ...(host.identityFile === undefined
      ? []
      : [`IdentityFile ${quoted(expandHome(host.identityFile))}`, "IdentitiesOnly yes"]),
    ...more,
  ];
}

/** Seconds until a host that does not answer counts as unreachable; a starved virtual machine answers in five. */
const CONNECT_SECONDS = 20;

function commonOptions(folder: string): string[] {
  return [
    "BatchMode yes",
    `ConnectTimeout ${CONNECT_SECONDS}`,
    "EscapeChar none",
    "ForwardAgent no",
    "GlobalKnownHostsFile /dev/null",
    "LogLevel ERROR",
    "PermitLocalCommand no",
    "RequestTTY no",
    "ServerAliveCountMax 4",
    "ServerAliveInterval 15",
    "StrictHostKeyChecking yes",
    "UpdateHostKeys no",
    `UserKnownHostsFile ${quoted(path.join(folder, CONNECTION_FILES.knownHosts))}`,
  ];
}

/** A path in ssh's configuration: quoted for its blanks, and % is doubled as it would start a token. */
function quoted(file: string): string {
  return `"${file.replaceAll("%", "%%")}"`;
}

function expandHome(file: string): string {
  return file.startsWith("~/") ? path.join(homedir(), file.slice(2)) : file;
}

/** How people write the host, in messages. */
export function describeTarget({ user, address, port }: SshTarget): string {
  const host = address.includes(":") ? `[${address}]` : address;
  return `${user}@${host}${port === 22 ? "" : `:${port}`}`;
}
