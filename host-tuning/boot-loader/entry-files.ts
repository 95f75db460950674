import type { Host } from "../sys/host.ts";
import { type ArgumentName, withArgument, wordsNamed } from "./command-line.ts";

/** Boot loaders whose entries are files of the Boot Loader Specification (type 1). */
export type EntryLoader = "grub-bls" | "systemd-boot";

/** Where entries are: the EFI system partition or the extended boot partition, by its usual mount points. */
export const ENTRY_FOLDERS = [
  "/boot/loader/entries",
  "/efi/loader/entries",
  "/boot/efi/loader/entries",
] as const;

/** What kernel-install makes the entries of later kernels from. */
export const KERNEL_INSTALL_COMMAND_LINE = "/etc/kernel/cmdline";

/** What grub2-mkconfig may write the entries anew from, where GRUB has them. */
export const GRUB_DEFAULTS = "/etc/default/grub";

/** Variables that entries of GRUB may name, as `$kernelopts` of RHEL 8. */
const GRUB_ENVIRONMENTS = ["/boot/grub2/grubenv", "/boot/grub/grubenv"] as const;

/** A file in which the command line stands, and how it stands there. */
export interface EntryFile {
  readonly path: string;
  readonly text: string;
  readonly syntax: "entry" | "plain" | "shell";
}

/** Parts of a file that are command line, by position; the last one is where an argument is added. */
interface Span {
  readonly start: number;
  readonly end: number;
}

const SPANS: Readonly<Record<EntryFile["syntax"], RegExp>> = {
  entry: /^options[ \t]+(.*)$/dgm,
  plain: /^(?!#)(\S.*)$/dgm,
  shell: /^GRUB_CMDLINE_LINUX="((?:[^"\\$`]|\$\w+)*)"[ \t]*$/dgm,
};

function spansOf({ text, syntax }: Pick<EntryFile, "text" | "syntax">): Span[] {
  return [...text.matchAll(SPANS[syntax])].flatMap((match) => {
    const [start, end] = match.indices?.[1] ?? [];
    return start === undefined || end === undefined ? [] : [{ start, end }];
  });
}

/** A host's files by plain calls. */
export interface FileReader {
  names(folder: string): readonly string[];
  text(path: string): string | undefined;
}

/** Names of entries that boot the system; a rescue entry stays as it is, for whoever needs it. */
function isEntry(name: string): boolean {
  return name.endsWith(".conf") && !/(^|-)0-rescue/.test(name);
}

/**
 * Every file of this loader that holds the kernel's command line: entries first, then what later entries are made from.
 * A file of the second kind that is written in a way we cannot edit safely is passed over.
 */
export function entryFilesAmong(loader: EntryLoader, reader: FileReader): EntryFile[] {
  const read = (path: string, syntax: EntryFile["syntax"]): EntryFile[] => {
    const text = reader.text(path);
    if (text === undefined) return [];
    return syntax === "entry" || spansOf({ text, syntax }).length === 1 ? [{ path, text, syntax }] : [];
  };
  const entries = ENTRY_FOLDERS.flatMap((folder) =>
    reader
      .names(folder)
      .filter(isEntry)
      .flatMap((name) => read(`${folder}/${name}`, "entry")),
  );
  if (entries.length === 0) return [];
  const defaults = loader === "grub-bls" ? read(GRUB_DEFAULTS, "shell") : [];
  return [...entries, ...read(KERNEL_INSTALL_COMMAND_LINE, "plain"), ...defaults];
}

/** The same through the host's asynchronous calls. @throws {TuningError} HOST_READ */
export async function readEntryFiles(host: Host, loader: EntryLoader): Promise<EntryFile[]> {
  const names = new Map<string, readonly string[]>();
  for (const folder of ENTRY_FOLDERS) names.set(folder, await host.list(folder));
  const paths = [
    ...[...names].flatMap(([folder, list]) => list.filter(isEntry).map((name) => `${folder}/${name}`)),
    KERNEL_INSTALL_COMMAND_LINE,
    GRUB_DEFAULTS,
  ];
  const texts = new Map<string, string | undefined>();
  for (const path of paths) texts.set(path, await host.readText(path));
  return entryFilesAmong(loader, {
    names: (folder) => names.get(folder) ?? [],
    text: (path) => texts.get(path),
  });
}

/** The whole command line of a file; options lines of an entry add up. */
export function commandLineOf(file: EntryFile): string {
  return spansOf(file)
    .map(({ start, end }) => file.text.slice(start, end))
    .join(" ");
}

/** The file's text with these words for one argument, every other byte as it was. */
export function withArgumentIn(file: EntryFile, name: ArgumentName, words: readonly string[]): string {
  const spans = spansOf(file);
  // The first line that has the argument takes the new words, else the last line; the others lose theirs.
  const holder = spans.findIndex(
    ({ start, end }) => wordsNamed(file.text.slice(start, end), name).length > 0,
  );
  const taker = holder >= 0 ? holder : spans.length - 1;
  if (taker < 0 && words.length > 0) {
    return `${file.text}${file.text === "" || file.text.endsWith("\n") ? "" : "\n"}options ${words.join(" ")}\n`;
  }
  let { text } = file;
  for (const [index, { start, end }] of [...spans.entries()].toReversed()) {
    const line = withArgument(text.slice(start, end), name, index === taker ? words : []);
    text = text.slice(0, start) + line + text.slice(end);
  }
  return text;
}

/** Command lines as the loader will hand them over: variables of grubenv put in. */
export async function readEntryCommandLines(host: Host, loader: EntryLoader): Promise<string[]> {
  const files = await readEntryFiles(host, loader);
  const variables = loader === "grub-bls" ? await readGrubEnvironment(host) : new Map<string, string>();
  return files.map((file) =>
    commandLineOf(file).replaceAll(/\$(\w+)|\$\{(\w+)\}/g, (_, bare?: string, braced?: string) => {
      return variables.get(bare ?? braced ?? "") ?? "";
    }),
  );
}

/** Lines of a GRUB environment block: name=value, `\` before what would end a line; filled up with "#". */
async function readGrubEnvironment(host: Host): Promise<ReadonlyMap<string, string>> {
  const values = new Map<string, string>();
  for (const path of GRUB_ENVIRONMENTS) {
    for (const line of ((await host.readText(path)) ?? "").split("\n")) {
      const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) values.set(name, value.replaceAll(/\\(.)/g, "$1"));
    }
    if (values.size > 0) break;
  }
  return values;
}
