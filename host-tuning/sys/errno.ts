/** Code of a failed system call ("EPERM"); `undefined` for any other error. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code: unknown = Reflect.get(error, "code");
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** Numbers that are the kernel's own and that no C library names (include/linux/errno.h). */
const KERNEL_ERRORS: ReadonlyMap<unknown, string> = new Map([
  [-524, "ENOTSUPP (not supported by the driver)"],
]);

/** What a failed system call says, for a message: `EPERM (operation not permitted)`. */
export function errnoText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = errnoOf(error);
  if (code === undefined) return KERNEL_ERRORS.get(Reflect.get(error, "errno")) ?? error.message;
  const words = /^E[A-Z0-9]+: ([^,]+)/.exec(error.message)?.[1];
  return words === undefined ? code : `${code} (${words})`;
}
