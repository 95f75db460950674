import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { execa } from "execa";
import { InputError } from "../../../host-tuning/errors.ts";
import { EXIT_CODE } from "../../../host-tuning/exit-code.ts";
import { bringUp, defaultStateDir, describe, LocalVmError, tearDown } from "./local-vm.ts";
import { ensureParts } from "./packages.ts";

interface VmOptions {
  readonly name: string;
}

interface UpOptions extends VmOptions {
  readonly userData?: string;
  readonly cpus?: string;
  readonly memoryMib?: string;
}

async function up(options: UpOptions): Promise<void> {
  const state = await bringUp(
    {
      name: options.name,
      userData: options.userData === undefined ? "#cloud-config\n" : await readFile(options.userData, "utf8"),
      ...(options.cpus === undefined ? {} : { cpus: Number(options.cpus) }),
      ...(options.memoryMib === undefined ? {} : { memoryMiB: Number(options.memoryMib) }),
    },
    { progress: ({ phase, message }) => process.stderr.write(`${phase}: ${message}\n`) },
  );
  const phases = state.phases.map((phase) => `${phase.name} ${(phase.durationMillis / 1000).toFixed(1)} s`);
  process.stdout.write(`${phases.join(", ")}\n${state.sshCommand.join(" ")}\n`);
}

/** Runs a command in the machine, or logs in; its exit code is ours. */
async function ssh(words: readonly string[], options: VmOptions): Promise<void> {
  const stateDir = defaultStateDir(options.name);
  const state = await describe(stateDir);
  if (state === undefined) throw new LocalVmError("VM_UNKNOWN", `Cannot log in: no VM in ${stateDir}`);
  const [program = "ssh", ...args] = state.sshCommand;
  const result = await execa(program, [...args, ...words], { stdio: "inherit", reject: false });
  process.exitCode = result.exitCode ?? EXIT_CODE.failed;
}

/** The lab by hand: one QEMU machine to try things in. `npm run local` is the environment. */
const program = new Command("local-vm")
  .description("a QEMU machine on this machine, to try things in")
  .enablePositionalOptions();
const nameOption = ["--name <name>", "which machine", "lab"] as const;
program
  .command("install-packages")
  .description("install what the machines need with apt, after saying which (Debian, as root)")
  .action(async () => {
    await ensureParts((message) => process.stderr.write(`${message}\n`));
  });
program
  .command("up")
  .description("start it and wait until cloud-init is through")
  .option(...nameOption)
  .option("--user-data <file>", "cloud-init user data")
  .option("--cpus <count>", "virtual CPUs, a multiple of its two nodes")
  .option("--memory-mib <MiB>", "memory")
  .action(up);
program
  .command("ssh [command...]")
  .description("run a command in it, or log in")
  .option(...nameOption)
  .passThroughOptions()
  .action(ssh);
program
  .command("show")
  .description("print what is known of it as JSON")
  .option(...nameOption)
  .action(async (options: VmOptions) => {
    const state = await describe(defaultStateDir(options.name));
    process.stdout.write(`${JSON.stringify(state ?? null, undefined, 2)}\n`);
  });
program
  .command("down")
  .description("stop it and remove all of it")
  .option(...nameOption)
  .action(async (options: VmOptions) => tearDown(defaultStateDir(options.name)));
program.addHelpText(
  "after",
  `
Examples:
  $ node components/hosts/local-vm/main.ts up
  $ node components/hosts/local-vm/main.ts ssh -- lspci -nn
  $ node components/hosts/local-vm/main.ts down`,
);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof InputError || error instanceof LocalVmError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error instanceof InputError ? EXIT_CODE.badInput : EXIT_CODE.failed;
}
