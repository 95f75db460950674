import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type * as z from "zod";
import { InputError, messageOf } from "../host-tuning/errors.ts";
import { parseContract, parseYamlText } from "../host-tuning/profile/parse-contract.ts";

/** What a file holds, and which file it was. */
export interface ContractFile<T> {
  readonly name: string;
  readonly sha256: string;
  readonly data: T;
}

/**
 * Reads a YAML or JSON file by its contract.
 *
 * @param option of the command line that names the file, as in `--owners`
 * @throws {InputError} when it cannot be read or is wrong, with every fault and its path
 */
export async function readContractFile<S extends z.ZodType>(
  schema: S,
  file: string,
  option: string,
): Promise<ContractFile<z.output<S>>> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    const message = `Cannot read ${file}: ${messageOf(cause)}`;
    throw new InputError("command line", [{ path: option, message }], { cause });
  });
  return {
    name: path.basename(file),
    sha256: createHash("sha256").update(bytes).digest("hex"),
    data: parseContract(schema, parseYamlText(bytes.toString("utf8"), file), file),
  };
}
