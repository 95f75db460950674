import { access, constants, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import * as z from "zod";
import { PROBE_MARKER } from "./image/initrd.ts";
import type { Accelerator } from "./vm-state.ts";

const PROBE_TIMEOUT_MILLIS = 8_000;

export interface AcceleratorChoice {
  readonly accelerator: Accelerator;
  readonly because: string;
}

export interface ProbeInput {
  readonly vmlinux: string;
  readonly probeInitrd: string;
  readonly cacheDir: string;
}

const verdictSchema = z.object({
  bootId: z.string(),
  accelerator: z.enum(["kvm", "tcg"]),
  because: z.string(),
});

function probeArguments(input: ProbeInput): string[] {
  const machine =
    "-machine q35 -accel kvm -cpu host -m 256M -nodefaults -no-user-config -display none -no-reboot";
  return [
    ...machine.split(" "),
    "-serial",
    "stdio",
    "-kernel",
    input.vmlinux,
    "-initrd",
    input.probeInitrd,
    "-append",
    "console=ttyS0 quiet panic=-1",
  ];
}

/** Boots a kernel and one program under KVM and waits for its line; nothing else says that KVM works. */
async function probeKvm(input: ProbeInput): Promise<AcceleratorChoice> {
  const result = await execa("qemu-system-x86_64", probeArguments(input), {
    reject: false,
    timeout: PROBE_TIMEOUT_MILLIS,
    killSignal: "SIGKILL",
    stdin: "ignore",
    maxBuffer: 1 << 20,
  });
  if (result.stdout.includes(PROBE_MARKER))
    return { accelerator: "kvm", because: "a probe booted under KVM" };
  const why = result.timedOut
    ? `nothing booted within ${PROBE_TIMEOUT_MILLIS / 1000} s`
    : (result.stderr.trim().split("\n")[0] ?? "the probe ended without a word");
  return { accelerator: "tcg", because: `KVM is there but does not boot: ${why}` };
}

/** An earlier answer; `undefined` when there is none that can be read, which only costs a new probe. */
async function readVerdict(path: string): Promise<z.output<typeof verdictSchema> | undefined> {
  try {
    return verdictSchema.safeParse(JSON.parse(await readFile(path, "utf8"))).data;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** KVM if it really boots, else software emulation, with the reason. The answer is kept until this machine reboots. */
export async function chooseAccelerator(input: ProbeInput): Promise<AcceleratorChoice> {
  try {
    await access("/dev/kvm", constants.R_OK | constants.W_OK);
  } catch {
    return { accelerator: "tcg", because: "/dev/kvm is not there or not ours to use" };
  }
  const bootId = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  const path = join(input.cacheDir, "kvm-probe.json");
  const kept = await readVerdict(path);
  if (kept?.bootId === bootId) return kept;
  const choice = await probeKvm(input);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify({ bootId, ...choice })}\n`);
  return choice;
}
