import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as z from "zod";
import { type Part, file, program } from "../../helpers/needs.ts";

const DIRECTORY = path.resolve(import.meta.dirname, "../../../../shared/data/hosts");
const EXPECTED = path.join(DIRECTORY, "expected.json");

/** What reading the captured hosts needs. */
export const CAPTURED_HOSTS: readonly Part[] = [
  file(EXPECTED, "the captured hosts", "they lie in ../shared/data/hosts beside the checkout"),
  program("tar", "apt install tar"),
  program("bzip2", "apt install bzip2", "--help"),
];

/** Figures that an independent tool found on the captured host. */
const expectedSchema = z.record(
  z.string(),
  z.object({
    packages: z.int(),
    numaNodes: z.int(),
    cores: z.int(),
    cpus: z.int(),
    cpuIds: z.union([z.string(), z.array(z.int())]),
  }),
);

export function readExpected(): z.output<typeof expectedSchema> {
  return expectedSchema.parse(JSON.parse(readFileSync(EXPECTED, "utf8")));
}

export interface UnpackedHosts extends Disposable {
  /** Where the tree of one archive lies: its one folder, whose name may differ from the archive's. */
  rootOf(name: string): string;
}

/** Unpacks every captured host below one temporary folder, removed at the end. */
export function unpackHosts(names: readonly string[]): UnpackedHosts {
  const base = mkdtempSync(path.join(tmpdir(), "bedplate-hosts-"));
  for (const name of names) {
    mkdirSync(path.join(base, name));
    execFileSync("tar", ["xjf", path.join(DIRECTORY, `${name}.tar.bz2`), "-C", path.join(base, name)], {
      timeout: 60_000,
    });
  }
  return {
    rootOf: (name) => {
      const folders = readdirSync(path.join(base, name));
      if (folders.length !== 1) throw new Error(`${name} holds ${folders.length} folders instead of one`);
      return path.join(base, name, folders[0] ?? "");
    },
    [Symbol.dispose]: () => rmSync(base, { recursive: true, force: true }),
  };
}
