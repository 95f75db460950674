/** A mode in force, and the one that a reset or a reboot will bring where that is another: "Disabled, Enabled pending". */
export function modeWithPending(
  current: string | undefined,
  pending: string | undefined,
): string | undefined {
  if (current === undefined) return undefined;
  return pending === undefined || pending === current ? current : `${current}, ${pending} pending`;
}

/** What will be in force after a reset or a reboot; `undefined` where nothing is pending. */
export function pendingMode(text: string): string | undefined {
  return /^\S+, (\S+) pending$/.exec(text)?.[1];
}
