import { userInfo } from "node:os";
import { type Fault, InputError } from "../../../host-tuning/errors.ts";
import { isLoopback } from "../../loopback.ts";

/** A table of a Trino cluster. */
export interface TrinoAddress {
  readonly engine: "trino";
  /** `https://trino.example.com`; http to this machine, or where the address asks for it. */
  readonly origin: string;
  readonly user: string;
  readonly catalog: string;
  readonly database: string;
  readonly table: string;
}

/** A table of Athena; region and credentials are the environment's. */
export interface AthenaAddress {
  readonly engine: "athena";
  readonly workGroup: string;
  readonly catalog: string;
  readonly database: string;
  readonly table: string;
  /** Where results are written, where the workgroup does not say it. */
  readonly output: string | undefined;
}

export type TableAddress = TrinoAddress | AthenaAddress;

/** Whether an input is a table that is read where it is. */
export function isTableAddress(input: string): boolean {
  return /^(?:trino|athena):/i.test(input);
}

const SPELLINGS = {
  trino: "trino://user@host:port/catalog/schema/table",
  athena: "athena://workgroup/database/table",
} as const;

function partsOf(url: URL, count: number, faults: Fault[], spelling: string): readonly string[] {
  const parts = url.pathname.split("/").slice(1).map(decoded);
  if (parts.length !== count || parts.some((part) => part === undefined || part === "")) {
    faults.push({ path: "--input", message: `is no address as in ${spelling}` });
  }
  // Trino and Glue fold names to lower case, and quoted ones too.
  return parts.map((part) => (part ?? "").toLowerCase());
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function settingsOf(url: URL, known: readonly string[], faults: Fault[]): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (!known.includes(name)) {
      faults.push({ path: "--input", message: `has the setting ${name}: known are ${known.join(", ")}` });
    } else if (settings.has(name)) {
      faults.push({ path: "--input", message: `has the setting ${name} twice` });
    }
    settings.set(name, value);
  }
  if (url.hash !== "")
    faults.push({ path: "--input", message: "has a part after #, which means nothing here" });
  return settings;
}

/** `SSL` is the JDBC driver's name for it. Without it TLS is used, but not to this machine. */
function isEncrypted(hostname: string, setting: string | undefined, faults: Fault[]): boolean {
  if (setting === undefined) return !isLoopback(hostname);
  if (setting !== "true" && setting !== "false") {
    faults.push({ path: "--input", message: `SSL is true or false, not ${JSON.stringify(setting)}` });
  }
  return setting !== "false";
}

function parseTrinoAddress(url: URL, faults: Fault[]): TrinoAddress {
  const [catalog = "", database = "", table = ""] = partsOf(url, 3, faults, SPELLINGS.trino);
  const settings = settingsOf(url, ["SSL"], faults);
  const encrypted = isEncrypted(url.hostname, settings.get("SSL"), faults);
  const user = decoded(url.username);
  if (user === undefined) faults.push({ path: "--input", message: "the user is no text in UTF-8" });
  if (url.password !== "") {
    const message = "a password in an address ends up in logs: set TRINO_PASSWORD or TRINO_PASSWORD_FILE";
    faults.push({ path: "--input", message });
  }
  const port = url.port === "" ? (encrypted ? "443" : "8080") : url.port;
  return {
    engine: "trino",
    origin: new URL(`${encrypted ? "https" : "http"}://${url.hostname || "none"}:${port}`).origin,
    user: user === undefined || user === "" ? userInfo().username : user,
    catalog,
    database,
    table,
  };
}

function parseAthenaAddress(url: URL, input: string, faults: Fault[]): AthenaAddress {
  const [database = "", table = ""] = partsOf(url, 2, faults, SPELLINGS.athena);
  const settings = settingsOf(url, ["output", "catalog"], faults);
  // A workgroup's case counts; a URL keeps it where its scheme is not the web's.
  const workGroup = decoded(/^athena:\/\/([^/?#]*)/i.exec(input)?.[1] ?? "") ?? "";
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(workGroup)) {
    const message = `has no name of a workgroup where ${SPELLINGS.athena} has it`;
    faults.push({ path: "--input", message });
  }
  const output = settings.get("output");
  if (output !== undefined && !/^s3:\/\/[\w.-]{3,255}(?:\/.*)?$/s.test(output)) {
    faults.push({
      path: "--input",
      message: `output is ${JSON.stringify(output)}, no address as in s3://bucket/prefix/`,
    });
  }
  const catalog = (settings.get("catalog") ?? "awsdatacatalog").toLowerCase();
  return { engine: "athena", workGroup, catalog, database, table, output };
}

/**
 * Where a bill's table is: `trino://user@host:8443/catalog/schema/table` or `athena://workgroup/database/table`.
 *
 * @throws {InputError} with all that is wrong with the address; never with what may be a password
 */
export function parseTableAddress(input: string): TableAddress {
  const faults: Fault[] = [];
  const url = URL.parse(input);
  const isTrino = /^trino:/i.test(input);
  if (url === null || url.host === "" || !input.includes("://")) {
    const spelling = isTrino ? SPELLINGS.trino : SPELLINGS.athena;
    throw new InputError("command line", [{ path: "--input", message: `is no address as in ${spelling}` }]);
  }
  const address = isTrino ? parseTrinoAddress(url, faults) : parseAthenaAddress(url, input, faults);
  if (faults.length > 0) throw new InputError("command line", faults);
  return address;
}
