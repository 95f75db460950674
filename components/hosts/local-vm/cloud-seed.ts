import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { MAIN_NIC_MAC } from "./qemu-command.ts";

export interface SeedInput {
  /** cloud-init runs its once-per-instance modules again when this changes. */
  readonly instanceId: string;
  readonly hostname: string;
  /** Passed on untouched: the same bytes that AWS would get. */
  readonly userData: string;
  readonly authorizedKey: string;
  readonly hostKey: { readonly private: string; readonly public: string };
}

/**
 * The NoCloud files. What AWS gives by its own means (address, name, login key) comes in meta-data; the ssh host key,
 * which this machine makes so that it can pin it, in vendor-data, where it can neither change nor be mixed into the
 * user data.
 */
export function renderSeed(input: SeedInput): Record<string, string> {
  return {
    "meta-data": stringify({
      "instance-id": input.instanceId,
      "local-hostname": input.hostname,
      "public-keys": [input.authorizedKey],
    }),
    "network-config": stringify({
      version: 2,
      ethernets: { main: { match: { macaddress: MAIN_NIC_MAC }, dhcp4: true, dhcp6: false } },
    }),
    "vendor-data": `#cloud-config\n${stringify({
      ssh_keys: { ed25519_private: input.hostKey.private, ed25519_public: input.hostKey.public },
    })}`,
    "user-data": input.userData,
  };
}

/** Writes the seed into a folder of its own, readable by the owner only: it holds the host key. */
export async function writeSeed(folder: string, input: SeedInput): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries(renderSeed(input))) {
    await writeFile(join(folder, name), text, { mode: 0o600 });
  }
}
