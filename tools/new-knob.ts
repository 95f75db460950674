/**
 * Scaffold of a sysctl knob: `npm run new:knob -- net.ipv4.tcp_fin_timeout --title "..." --unit seconds`.
 *
 * Writes the knob's file, its test and its lines in the registry. The kernel it runs on says how many numbers the
 * sysctl has and what a stock value looks like. The knob then stands everywhere (plan, docs, rollback) but leaves every
 * host alone; the contract test is red until `desired` has a rule.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { Command } from "commander";
import { InputError } from "../host-tuning/errors.ts";
import { EXIT_CODE } from "../host-tuning/exit-code.ts";
import { KNOBS } from "../host-tuning/knobs/index.ts";
import { sysctlPath } from "../host-tuning/knobs/sysctl-knob.ts";

const FAMILIES = ["net", "vm", "kernel", "fs"] as const;

/** Pages of the kernel's documentation; the anchor is the author's to find. */
const DOCUMENTATION: readonly (readonly [prefix: string, page: string])[] = [
  ["net.ipv4.", "https://docs.kernel.org/networking/ip-sysctl.html"],
  ["net.ipv6.", "https://docs.kernel.org/networking/ip-sysctl.html"],
  ["net.netfilter.", "https://docs.kernel.org/networking/nf_conntrack-sysctl.html"],
  ["net.", "https://docs.kernel.org/admin-guide/sysctl/net.html"],
  ["vm.", "https://docs.kernel.org/admin-guide/sysctl/vm.html"],
  ["kernel.", "https://docs.kernel.org/admin-guide/sysctl/kernel.html"],
  ["fs.", "https://docs.kernel.org/admin-guide/sysctl/fs.html"],
];

export interface NewKnob {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** The numbers that a kernel shows, as "4096 131072 6291456". */
  readonly stock: string;
  readonly kernelRelease: string;
}

/** net.core.rmem_max is net-core-rmem-max. */
export function fileStemOf(id: string): string {
  return id.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
}

/** net.core.rmem_max is netCoreRmemMax. */
export function exportNameOf(id: string): string {
  return fileStemOf(id).replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function familyOf(id: string): string {
  return id.slice(0, id.indexOf("."));
}

/** Text of host-tuning/knobs/<stem>.ts. */
export function renderKnob(knob: NewKnob): string {
  const count = knob.stock.split(" ").length;
  const factory = count === 1 ? "integerSysctl" : "integersSysctl";
  const page =
    DOCUMENTATION.find(([prefix]) => knob.id.startsWith(prefix))?.[1] ?? "https://docs.kernel.org/";
  return `import { leave } from "./desired.ts";
import { INT32_MAX, ${factory} } from "./sysctl-knob.ts";

/**
 * ${knob.id}: ${knob.title}.
 *
 * What decides its value on a host, what it does to the service, what the anchors do and where they disagree.
 *
 * @unit ${knob.unit}
 * @example a host, the sum with its numbers, the value
 */
export const ${exportNameOf(knob.id)} = ${factory}({
  id: "${knob.id}",
  title: ${JSON.stringify(knob.title)},
  unit: "${knob.unit}",
  scope: "${knob.id.startsWith("net.ipv") ? "netns" : "host"}",
  takesEffect: "now",
${count === 1 ? "" : `  count: ${count},\n`}  range: [0, INT32_MAX],
  risk: { level: "low", what: "what may get worse with it" },
  kernelDefault: "${knob.stock}, as found on Linux ${knob.kernelRelease}",
  sources: ["${page}"],
  desired: () => leave("no rule for this value has been written yet"),
});
`;
}

/** Text of test/host-tuning/knobs/<stem>.test.ts. */
export function renderTest(knob: NewKnob): string {
  const name = exportNameOf(knob.id);
  const isNumber = !knob.stock.includes(" ");
  const current = isNumber ? knob.stock : JSON.stringify(knob.stock);
  return `import { describe, expect, it } from "vitest";
import { ${name} } from "../../../host-tuning/knobs/${fileStemOf(knob.id)}.ts";
import { decide } from "../../helpers/decide.ts";

describe("${knob.id}", () => {
  it("is set on a stock host, with the reason", () => {
    expect(decide(${name}, { current: ${current} })).toEqual({
      kind: "set",
      value: ${current},
      because: expect.stringContaining(" "),
    });
  });
});
`;
}

/**
 * The registry with the knob's import and its line, each where it belongs.
 *
 * @param familyIds ids of the knobs that the registry has in this family, in its order
 */
export function register(registry: string, id: string, familyIds: readonly string[]): string {
  const importLine = `import { ${exportNameOf(id)} } from "./${fileStemOf(id)}.ts";`;
  const lines = registry.split("\n");
  const module = (line: string): string => /from "(.*)";$/.exec(line)?.[1] ?? "";
  const isImport = (line: string): boolean => line.startsWith("import ");
  const firstLater = lines.findIndex((line) => isImport(line) && module(line) > module(importLine));
  const importAt = firstLater === -1 ? lines.findLastIndex(isImport) + 1 : firstLater;
  const withImport = lines.toSpliced(importAt, 0, importLine);

  const heading = withImport.indexOf(`  // ${familyOf(id)}`);
  const later = familyIds.findIndex((other) => other > id);
  const place = later === -1 ? familyIds.length : later;
  return withImport.toSpliced(heading + 1 + place, 0, `  ${exportNameOf(id)},`).join("\n");
}

/** @throws {InputError} when the id cannot become a knob, with every fault */
function readNewKnob(id: string, options: { title: string; unit: string }): NewKnob {
  const path = sysctlPath(id);
  const isId = /^[a-z]+(?:\.[a-z0-9_-]+)+$/.test(id) && FAMILIES.some((family) => family === familyOf(id));
  if (!isId) {
    const message = `expected a sysctl of ${FAMILIES.join(", ")} as in net.core.somaxconn, found "${id}"`;
    throw new InputError("new:knob", [{ path: "id", message }]);
  }
  if (KNOBS.some((knob) => knob.id === id))
    throw new InputError("new:knob", [{ path: "id", message: `${id} is a knob already` }]);
  if (!existsSync(path))
    throw new InputError("new:knob", [{ path: "id", message: `this kernel has no ${path} to look at` }]);
  const stock = readFileSync(path, "utf8").trim().split(/\s+/).join(" ");
  if (!/^\d+(?: \d+)*$/.test(stock)) {
    const message = `${path} holds "${stock}": the scaffold is for whole numbers`;
    throw new InputError("new:knob", [{ path: "id", message }]);
  }
  return { id, ...options, stock, kernelRelease: release() };
}

function writeScaffold(knob: NewKnob): string[] {
  const stem = fileStemOf(knob.id);
  const root = new URL("..", import.meta.url);
  const registry = new URL("host-tuning/knobs/index.ts", root);
  const files = [
    [`host-tuning/knobs/${stem}.ts`, renderKnob(knob)],
    [`test/host-tuning/knobs/${stem}.test.ts`, renderTest(knob)],
  ] as const;
  for (const [path, text] of files) writeFileSync(new URL(path, root), text, { flag: "wx" });
  const familyIds = KNOBS.filter((other) => other.family === familyOf(knob.id)).map((other) => other.id);
  writeFileSync(registry, register(readFileSync(registry, "utf8"), knob.id, familyIds));
  return [...files.map(([path]) => path), "host-tuning/knobs/index.ts"];
}

if (import.meta.main) {
  const program = new Command("new:knob")
    .argument("<id>", "the kernel's name, as in net.core.somaxconn")
    .option("--title <text>", "what it is, one line", "What it is, one line")
    .option("--unit <unit>", "one of the units in host-tuning/knobs/knob.ts", "text")
    .action((id: string, options: { title: string; unit: string }) => {
      const written = writeScaffold(readNewKnob(id, options));
      process.stdout.write(
        `${written.join("\n")}\nNext: write \`desired\`, then npm run generate and npm run ok\n`,
      );
    });
  try {
    program.parse();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = EXIT_CODE.badInput;
  }
}
