import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { execa } from "execa";
import { InputError } from "../../../host-tuning/errors.ts";
import { EXIT_CODE } from "../../../host-tuning/exit-code.ts";
import { bringUp, defaultStateDir, describe, LocalVmError, tearDown } from "./local-vm.ts";

const USAGE = `Usage: node components/hosts/local-vm/main.ts VERB [--name NAME]
  up    [--user-data FILE] [--cpus N] [--memory-mib N]   start a VM and wait until cloud-init is through
  ssh   [COMMAND...]                                     run a command in it, or log in
  show                                                   print what is known of it as JSON
  down                                                   stop it and remove all of it
`;

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      name: { type: "string", default: "lab" },
      "user-data": { type: "string" },
      cpus: { type: "string" },
      "memory-mib": { type: "string" },
    },
  });
  const [verb, ...rest] = positionals;
  const stateDir = defaultStateDir(values.name);
  switch (verb) {
    case "up": {
      const file = values["user-data"];
      const state = await bringUp(
        {
          name: values.name,
          userData: file === undefined ? "#cloud-config\n" : await readFile(file, "utf8"),
          ...(values.cpus === undefined ? {} : { cpus: Number(values.cpus) }),
          ...(values["memory-mib"] === undefined ? {} : { memoryMiB: Number(values["memory-mib"]) }),
        },
        { progress: ({ phase, message }) => process.stderr.write(`${phase}: ${message}\n`) },
      );
      const phases = state.phases.map(
        (phase) => `${phase.name} ${(phase.durationMillis / 1000).toFixed(1)} s`,
      );
      process.stdout.write(`${phases.join(", ")}\n${state.sshCommand.join(" ")}\n`);
      return EXIT_CODE.asWanted;
    }
    case "ssh": {
      const state = await describe(stateDir);
      if (state === undefined) throw new LocalVmError("VM_UNKNOWN", `Cannot log in: no VM in ${stateDir}`);
      const [program = "ssh", ...args] = state.sshCommand;
      const result = await execa(program, [...args, ...rest], { stdio: "inherit", reject: false });
      return result.exitCode ?? EXIT_CODE.failed;
    }
    case "show":
      process.stdout.write(`${JSON.stringify((await describe(stateDir)) ?? null, undefined, 2)}\n`);
      return EXIT_CODE.asWanted;
    case "down":
      await tearDown(stateDir);
      return EXIT_CODE.asWanted;
    default:
      process.stderr.write(USAGE);
      return EXIT_CODE.badInput;
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof InputError || error instanceof LocalVmError)
    process.stderr.write(`${error.message}\n`);
  else throw error;
  process.exitCode = error instanceof InputError ? EXIT_CODE.badInput : EXIT_CODE.failed;
}
