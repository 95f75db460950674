import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";

/** Frequencies that the guest's CPUs claim, MHz. Writing one changes nothing, but governors are there to be set. */
const FREQUENCIES_MHZ = [2600, 2000, 1200] as const;

function cpuScope(cpu: number): string {
  const name = `\\_SB.CPUS.C${cpu.toString(16).toUpperCase().padStart(3, "0")}`;
  const states = FREQUENCIES_MHZ.map(
    (mhz, index) => `      Package () { ${mhz}, ${mhz * 36}, 10, 10, ${index}, ${index} }`,
  );
  // 0x5F0 is an I/O port that nothing in the q35 machine listens on.
  return `  External (${name}, DeviceObj)
  Scope (${name})
  {
    Name (_PCT, Package () {
      ResourceTemplate () { Register (SystemIO, 8, 0, 0x5F0) },
      ResourceTemplate () { Register (SystemIO, 8, 0, 0x5F0) } })
    Name (_PSS, Package () {
${states.join(",\n")} })
    Method (_PPC) { Return (0) }
    Name (_PSD, Package () { Package () { 5, 0, ${cpu}, 0xFE, 1 } })
  }
`;
}

/** ACPI source that gives each CPU performance states, so that acpi-cpufreq loads in the guest. */
export function renderCpufreqSsdt(cpus: number): string {
  const scopes = Array.from({ length: cpus }, (_, cpu) => cpuScope(cpu));
  return `DefinitionBlock ("cpufreq.aml", "SSDT", 2, "BEDPLT", "CPUFREQ", 1)\n{\n${scopes.join("")}}\n`;
}

/** Compiles the table into the folder; `undefined` where iasl is not installed: the guest then has no governor. */
export async function makeCpufreqSsdt(folder: string, cpus: number): Promise<string | undefined> {
  await writeFile(join(folder, "cpufreq.asl"), renderCpufreqSsdt(cpus));
  const result = await execa("iasl", ["-p", "cpufreq", "cpufreq.asl"], {
    cwd: folder,
    reject: false,
    timeout: 60_000,
    stdin: "ignore",
  });
  if (result.code === "ENOENT") return undefined;
  if (result.failed) throw new Error(`Cannot compile the cpufreq table: ${result.stdout.slice(-500)}`);
  return "cpufreq.aml";
}
