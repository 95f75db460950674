/**
 * Value of a setting that is taken up when something starts: what is in force and, where the configuration says something
 * else, what the next start will bring. Both are shown, so that a report never passes a file off as in force.
 */
const AFTER_START = / after a (?:restart|reload|reboot)$/;

/**
 * @param start of the service, of systemd's own reading of its files, or of the host
 * @example "1024:524288, 8192:524288 after a restart"
 */
export function inForce(
  effective: string | undefined,
  configured: string,
  start: "restart" | "reload" | "reboot" = "restart",
): string {
  if (effective === undefined || effective === configured) return configured;
  return `${effective}, ${configured} after a ${start}`;
}

/** What the next start brings: the configured value, or the one in force when they agree. */
export function nextStart(current: string): string {
  if (!AFTER_START.test(current)) return current;
  const configured = current.replace(AFTER_START, "");
  return configured.slice(configured.indexOf(", ") + 2);
}

/** Nothing is left to write: the value is in force, or will be once the service restarts. */
export function isConfigured(current: string, wanted: string): boolean {
  return nextStart(current) === wanted;
}
