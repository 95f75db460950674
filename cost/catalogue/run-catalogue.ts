import { randomUUID } from "node:crypto";
import { link, rename, rm, writeFile } from "node:fs/promises";
import { type Fault, InputError, messageOf } from "../../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../../host-tuning/exit-code.ts";
import { writeOut } from "../../host-tuning/verbs/output-options.ts";
import { diffCatalogues, renderCatalogueDiff } from "./catalogue-diff.ts";
import { loadCatalogue, parseCatalogue } from "./catalogue.ts";
import { refreshCatalogue } from "./refresh-catalogue.ts";

export interface CatalogueOptions {
  readonly region: string;
  readonly save?: string;
  readonly write?: true;
  readonly format: "table" | "json";
  readonly out?: string;
}

/** Whole or not at all; a file that is there stays, unless it is to be replaced. */
async function saveCatalogue(file: string, text: string, replaces: boolean): Promise<void> {
  const written = `${file}.${randomUUID()}.part`;
  try {
    await writeFile(written, text, { flag: "wx" });
    await (replaces ? rename(written, file) : link(written, file));
  } catch (cause) {
    const isThere = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    const message = isThere
      ? "is there already: give --write to replace it"
      : `Cannot write: ${messageOf(cause)}`;
    throw new InputError("command line", [{ path: `--save ${file}`, message }], { cause });
  } finally {
    await rm(written, { force: true });
  }
}

/** `bedplate cost catalogue`: 0; with --save there is a file that BEDPLATE_CATALOGUE may name. */
export async function runCatalogue(options: CatalogueOptions): Promise<ExitCode> {
  const faults: Fault[] = [];
  if (!/^[a-z]{2}(?:-[a-z]+)+-\d$/.test(options.region)) {
    const message = `"${options.region}" is no region as in eu-central-1`;
    faults.push({ path: "--region", message });
  }
  if (options.write === true && options.save === undefined)
    faults.push({ path: "--write", message: "name the file with --save" });
  if (faults.length > 0) throw new InputError("command line", faults);
  const text = await refreshCatalogue(options.region, new Date().toISOString().slice(0, 10));
  const refreshed = parseCatalogue(text, options.region, `AWS, ${options.region}`);
  const diff = diffCatalogues(loadCatalogue(options.region), refreshed);
  if (options.save !== undefined) await saveCatalogue(options.save, text, options.write === true);
  await writeOut(
    options.format === "json" ? `${JSON.stringify(diff, null, 2)}\n` : renderCatalogueDiff(diff),
    options.out,
  );
  return EXIT_CODE.asWanted;
}
