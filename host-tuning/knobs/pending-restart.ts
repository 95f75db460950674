/**
 * Value of a setting that a service gets when it starts: what the running process has and, where the configuration says
 * something else, what the next start will bring. Both are shown, so that a report never passes a file off as in force.
 */
const AFTER_RESTART = " after a restart";

/** @example "1024:524288, 8192:524288 after a restart" */
export function inForce(effective: string | undefined, configured: string): string {
  if (effective === undefined || effective === configured) return configured;
  return `${effective}, ${configured}${AFTER_RESTART}`;
}

/** What the next start brings: the configured value, or the one in force when they agree. */
export function nextStart(current: string): string {
  if (!current.endsWith(AFTER_RESTART)) return current;
  const configured = current.slice(0, -AFTER_RESTART.length);
  return configured.slice(configured.indexOf(", ") + 2);
}

/** Nothing is left to write: the value is in force, or will be once the service restarts. */
export function isConfigured(current: string, wanted: string): boolean {
  return nextStart(current) === wanted;
}
