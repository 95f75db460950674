import type { Host } from "../sys/host.ts";
import type { ArgumentName } from "./command-line.ts";

/** What GRUB boots from on Debian and Ubuntu; update-grub makes it from /etc/default/grub and the files beside it. */
export const GRUB_CONFIG = "/boot/grub/grub.cfg";

export const UPDATE_GRUB = "update-grub";

/**
 * One file per argument, so that each can be made and taken away by itself. They are read after those that a
 * distribution or a cloud image brings (50-cloudimg-settings.cfg), by name.
 */
export function grubDropInPath(name: ArgumentName): string {
  return `/etc/default/grub.d/99-bedplate-${name.replaceAll(/[^a-z0-9]+/g, "-")}.cfg`;
}

/**
 * Text of an argument's drop-in, a piece of shell that update-grub reads. The argument's older words go, from whichever
 * file they came, and ours come last.
 *
 * They go to GRUB_CMDLINE_LINUX_DEFAULT, which recovery entries do not get: whoever picks one gets the kernel as it was.
 *
 * @param words plain words: the caller has checked them, as this is shell
 */
export function renderGrubDropIn(name: ArgumentName, words: readonly string[]): string {
  const lines = ["# Written by bedplate, taken back by bedplate rollback."];
  for (const variable of ["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"]) {
    const pattern = oldWords(name);
    const kept =
      pattern === undefined ? `$${variable}` : `$(printf %s "$${variable}" | sed -E 's/${pattern}//g')`;
    const added = variable === "GRUB_CMDLINE_LINUX" ? "" : words.map((word) => ` ${word}`).join("");
    if (pattern !== undefined || added !== "") lines.push(`${variable}="${kept}${added}"`);
  }
  return [...lines, ""].join("\n");
}

/** Extended regular expression for the argument's words; none for hugepages, whose meaning hangs on the word before. */
function oldWords(name: ArgumentName): string | undefined {
  if (name.startsWith("hugepages:")) return undefined;
  const spelled = name.replaceAll(/[-_]/g, "[-_]").replaceAll(".", "[.]");
  return `(^|[[:space:]])${spelled}=[^[:space:]]*`;
}

/** The words that a drop-in of ours adds; `undefined` when it is not there. */
export async function readGrubDropIn(host: Host, name: ArgumentName): Promise<string | undefined> {
  const text = await host.readText(grubDropInPath(name));
  if (text === undefined) return undefined;
  const last = text.trimEnd().split("\n").at(-1) ?? "";
  return /[)T] ([^"]*)"$/.exec(last)?.[1] ?? "";
}

/**
 * Command lines of the entries that grub.cfg boots: those of the section that 10_linux made, without recovery entries,
 * and not the other systems that os-prober found.
 */
export function parseGrubConfig(text: string): string[] {
  const sections = text.split(/^### BEGIN /m);
  const own = sections.filter((section) => /^\/etc\/grub\.d\/10_linux\S* ###/.test(section));
  return own.flatMap((section) =>
    section
      .split(/^\s*menuentry /m)
      .slice(1)
      .filter((entry) => !/\$menuentry_id_option 'gnulinux-\S*-recovery-/.test(entry))
      .flatMap((entry) => /^\s*linux(?:efi|16)?\s+\S+(.*)$/m.exec(entry)?.[1]?.trim() ?? []),
  );
}
