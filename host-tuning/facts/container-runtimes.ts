import type { FactReader } from "./fact-reader.ts";
import { fieldOf } from "./field-of.ts";
import type { OwnershipFacts } from "./host-facts.ts";
import { canonicalSysctlKey } from "./sysctl-d.ts";

/** CRI-O reads its file and then the folder beside it, in the order of names. */
const CRIO_FILE = "/etc/crio/crio.conf";
const CRIO_FOLDER = "/etc/crio/crio.conf.d";

const CONTAINERD_FILE = "/etc/containerd/config.toml";

/** Strings of a TOML array: `default_sysctls = ["a=1", "b=2"]`, on one line or several. */
export function parseTomlStrings(text: string, name: string): string[] | undefined {
  const array = new RegExp(`^\\s*${name}\\s*=\\s*\\[([^\\]]*)\\]`, "m").exec(text)?.[1];
  if (array === undefined) return undefined;
  return [...array.replaceAll(/#[^\n]*/g, "").matchAll(/"([^"\n]*)"|'([^'\n]*)'/g)].map(
    (match) => match[1] ?? match[2] ?? "",
  );
}

/**
 * What CRI-O gives every container: sysctls in the pod's own namespace, and limits. The host's values are not touched,
 * but what is set on the host does not reach those containers either.
 *
 * @see https://github.com/cri-o/cri-o/blob/v1.30.0/docs/crio.conf.5.md
 */
async function readCrio(reader: FactReader): Promise<OwnershipFacts[]> {
  const names = (await reader.entries(CRIO_FOLDER)).filter((name) => name.endsWith(".conf"));
  const paths = [CRIO_FILE, ...names.map((name) => `${CRIO_FOLDER}/${name}`)];
  const found = new Map<string, OwnershipFacts[]>();
  for (const source of paths) {
    const text = (await reader.text(source)) ?? "";
    for (const option of ["default_sysctls", "default_ulimits"]) {
      const settings = parseTomlStrings(text, option);
      if (settings !== undefined)
        found.set(
          option,
          settings.flatMap((line) => claim(line, option, source)),
        );
    }
  }
  return [...found.values()].flat();
}

function claim(line: string, option: string, source: string): OwnershipFacts[] {
  const equals = line.indexOf("=");
  if (equals <= 0) return [];
  const name = line.slice(0, equals).trim();
  const key = option === "default_sysctls" ? canonicalSysctlKey(name) : `rlimit.${name}`;
  const value = line.slice(equals + 1).trim();
  return [{ owner: "cri-o", key, source: `${source} (${option})`, value, hold: "containers" }];
}

/** containerd gives every container what its base specification says; EKS sets the limit of open files there. */
async function readContainerd(reader: FactReader): Promise<OwnershipFacts[]> {
  const config = (await reader.text(CONTAINERD_FILE)) ?? "";
  const path = /^\s*base_runtime_spec\s*=\s*"(\/[^"\n]+)"/m.exec(config)?.[1];
  const text = path === undefined ? undefined : await reader.text(path);
  if (path === undefined || text === undefined) return [];
  let spec: unknown;
  try {
    spec = JSON.parse(text);
  } catch {
    reader.note(path, "Not a container's base specification");
    return [];
  }
  return [...limitsOf(spec), ...sysctlsOf(spec)].map(([key, value]) => ({
    owner: "containerd",
    key,
    source: path,
    value,
    hold: "containers",
  }));
}

function limitsOf(spec: unknown): [key: string, value: string][] {
  const limits = fieldOf(fieldOf(spec, "process"), "rlimits");
  if (!Array.isArray(limits)) return [];
  return limits.flatMap((limit: unknown): [string, string][] => {
    const [type, soft, hard] = ["type", "soft", "hard"].map((name) => fieldOf(limit, name));
    if (typeof type !== "string" || typeof soft !== "number" || typeof hard !== "number") return [];
    return [[`rlimit.${type.replace(/^RLIMIT_/, "").toLowerCase()}`, `${soft}:${hard}`]];
  });
}

function sysctlsOf(spec: unknown): [key: string, value: string][] {
  const sysctls = fieldOf(fieldOf(spec, "linux"), "sysctl");
  if (typeof sysctls !== "object" || sysctls === null) return [];
  return Object.entries(sysctls).flatMap(([key, value]: [string, unknown]): [string, string][] =>
    typeof value === "string" ? [[canonicalSysctlKey(key), value]] : [],
  );
}

/** What container runtimes set inside containers. */
export async function readContainerRuntimes(reader: FactReader): Promise<OwnershipFacts[]> {
  return (await Promise.all([readCrio(reader), readContainerd(reader)])).flat();
}
