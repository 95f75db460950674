import { createHash } from "node:crypto";
import type { EnvironmentInput } from "../../components/environment/environment-spec.ts";

const OWNER = { team: "agent-platform", costCenter: "CC-4711", service: "mcp-gateway" };
/** Addresses below one /16: 10.20.0.0 and up. */
const HOSTS_PER_NETWORK = 250;
/** A pool's count and hosts end at 1,000. */
const HOSTS_PER_POOL = 1000;

/** An ed25519 host key that is one in its form; nobody has its private half. */
function hostKey(index: number): string {
  const name = Buffer.from("ssh-ed25519");
  const key = createHash("sha256").update(String(index)).digest();
  const length = (bytes: Buffer) => Buffer.from([0, 0, 0, bytes.length]);
  return `ssh-ed25519 ${Buffer.concat([length(name), name, length(key), key]).toString("base64")}`;
}

/** So many machines that exist already, in pools of at most a thousand. */
export function sshEnvironment(hosts: number): EnvironmentInput {
  const all = Array.from({ length: hosts }, (_, index) => ({
    name: `host-${index}`,
    address: `10.20.${Math.floor(index / HOSTS_PER_NETWORK)}.${(index % HOSTS_PER_NETWORK) + 1}`,
    hostKey: hostKey(index),
  }));
  return {
    apiVersion: "bedplate/v1",
    kind: "Environment",
    name: "racks",
    region: "local",
    owner: OWNER,
    hostPools: Array.from({ length: Math.ceil(hosts / HOSTS_PER_POOL) }, (_, pool) => ({
      name: `rack-${pool}`,
      where: "ssh" as const,
      needs: { vcpus: 16, memoryGiB: 64 },
      profile: { preset: "latency" as const },
      login: { user: "ops", sudo: true },
      hosts: all.slice(pool * HOSTS_PER_POOL, (pool + 1) * HOSTS_PER_POOL),
    })),
    service: { runtime: "systemd" },
    budget: { currency: "USD", perMonth: "100000.00" },
  };
}

/** So many pools of AWS hosts, of four different needs. */
export function awsEnvironment(pools: number): EnvironmentInput {
  const sizes = [2, 4, 8, 16];
  return {
    apiVersion: "bedplate/v1",
    kind: "Environment",
    name: "fleet",
    region: "us-east-1",
    owner: OWNER,
    hostPools: Array.from({ length: pools }, (_, index) => {
      const vcpus = sizes[index % sizes.length] ?? 2;
      return {
        name: `pool-${index}`,
        where: "aws" as const,
        count: 2,
        needs: { vcpus, memoryGiB: vcpus * 4 },
        profile: { preset: "latency" as const },
      };
    }),
    service: { runtime: "systemd" },
    budget: { currency: "USD", perMonth: "100000.00" },
  };
}
