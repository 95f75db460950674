/** Whether a host of an address is this machine, where a secret may go unencrypted; as `URL` spells it. */
export function isLoopback(hostname: string): boolean {
  return ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
}
