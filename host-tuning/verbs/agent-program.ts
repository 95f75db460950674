import { type Command, Option } from "commander";
import type { ApplyOptions } from "./apply.ts";
import type { DriftOptions } from "./drift.ts";
import type { MetricsOptions } from "./metrics.ts";
import type { PlanOptions } from "./plan.ts";
import type { RollbackOptions } from "./rollback.ts";
import { type CommonOptions, runVerb } from "./verb-frame.ts";
import type { PlanningOptions } from "./verb-input.ts";

const EXIT_CODES = `
Exit codes: 0 as wanted, 1 something failed, 2 bad input, 3 drift or a stale plan, 4 reboot needed`;

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ bedplate ${line}`).join("\n")}\n${EXIT_CODES}`;
}

function withRoot(command: Command): Command {
  return command
    .option("--root <dir>", "host to work on, with its own proc/ and sys/", "/")
    .option("--json", "print the contract instead of text");
}

function withProfile(command: Command): Command {
  return command.option(
    "--profile <file>",
    "host profile, YAML or JSON (default: the host's /etc/bedplate/profile.yaml)",
  );
}

function withPhase(command: Command): Command {
  return command.addOption(
    new Option("--phase <phase>", "before the network is up, after devices are found, or both")
      .choices(["early", "late", "all"])
      .default("all"),
  );
}

function withDevice(command: Command): Command {
  return command.addOption(
    new Option("--device <name>", "only what acts on this NIC, disk or PCI address").conflicts("plan"),
  );
}

const TEXTFILE = [
  "--textfile",
  "write the metrics where node_exporter's textfile collector reads them",
] as const;
const ALL = ["--all", "show also what this host does not need or have"] as const;
const LOG_JSON = ["--log-json", "one JSON line per event on stderr (as under systemd)"] as const;

/**
 * Adds the agent's verbs to a program. What a verb does is loaded when it is called: the agent runs at boot, where
 * loading is most of what it costs.
 */
export function addAgentVerbs(program: Command): void {
  addReadingVerbs(program);
  addChangingVerbs(program);
}

function addReadingVerbs(program: Command): void {
  withRoot(program.command("facts"))
    .description("what this host is: processors, NUMA, NICs, disks, GPUs, who else tunes it")
    .addHelpText("after", examples("facts", "facts --json | jq .numa"))
    .action(async (options: CommonOptions) => {
      await runVerb(options, async () => await (await import("./facts.ts")).facts(options));
    });
  withDevice(withPhase(withProfile(withRoot(program.command("plan")))))
    .description("what apply would change here, and why; changes nothing")
    .option(...ALL)
    .option(
      "--pod-sysctls",
      "print what a pod has to ask for, and the kubelet to allow, for the same tuning inside",
    )
    .option("--kubernetes-version <version>", "with --pod-sysctls: which sysctls are safe (default: 1.34)")
    .option("--out <file>", "save the plan, for apply --plan")
    .addOption(new Option("--script", "print it as a shell script to review and run").conflicts("json"))
    .addHelpText(
      "after",
      examples("plan", "plan --profile profile.yaml --out plan.json", "plan --script >tune.sh"),
    )
    .action(async (options: PlanOptions) => {
      await runVerb(options, async () => await (await import("./plan.ts")).plan(options));
    });
  withPhase(withProfile(withRoot(program.command("verify"))))
    .description("re-read every value and say what is as wanted; changes nothing")
    .option(...ALL)
    .option(...LOG_JSON)
    .addHelpText("after", examples("verify", "verify --json"))
    .action(async (options: PlanningOptions) => {
      await runVerb(options, async () => await (await import("./verify.ts")).verify(options));
    });
  withRoot(program.command("metrics"))
    .description("what the agent and the kernel count, in Prometheus' text format")
    .option("--out <file>", "write them into a file, in one step")
    .addOption(new Option(...TEXTFILE).conflicts("out"))
    .addHelpText("after", examples("metrics", "metrics --out /var/lib/node_exporter/bedplate.prom"))
    .action(async (options: MetricsOptions) => {
      await runVerb(options, async () => await (await import("./metrics.ts")).metrics(options));
    });
  withRoot(program.command("status"))
    .description("what Bedplate changed here, since when, and whether it is still in force")
    .addHelpText("after", examples("status", "status --json"))
    .action(async (options: CommonOptions) => {
      await runVerb(options, async () => await (await import("./status.ts")).status(options));
    });
  withProfile(withRoot(program.command("explain")))
    .description("one knob: what it is, what it should be here, and why")
    .argument("<knob>", "its id, as `bedplate knobs` lists it; with a target in brackets for that one alone")
    .addHelpText("after", examples("explain net.core.somaxconn", "explain 'queue/scheduler[nvme0n1]' --json"))
    .action(async (id: string, options: PlanningOptions) => {
      await runVerb(options, async () => await (await import("./explain.ts")).explain(id, options));
    });
  program
    .command("knobs")
    .description("the knobs there are")
    .option("--json", "print data instead of text")
    .addHelpText("after", examples("knobs"))
    .action(async (options: { readonly json?: boolean }) => {
      await runVerb({ root: "/", ...options }, async () => await (await import("./knobs.ts")).knobs(options));
    });
}

function addChangingVerbs(program: Command): void {
  withDevice(withPhase(withProfile(withRoot(program.command("apply")))))
    .description("bring this host to its plan, and read every value back")
    .addOption(
      new Option("--plan <file>", "apply this saved plan, or nothing if the host changed since").conflicts(
        "profile",
      ),
    )
    .option("--any-distribution", "go on where the distribution is none that the agent is made for")
    .option(...ALL)
    .option(...LOG_JSON)
    .addHelpText("after", examples("apply", "apply --plan plan.json", "apply --phase early --log-json"))
    .action(async (options: ApplyOptions) => {
      await runVerb(options, async () => await (await import("./apply.ts")).apply(options));
    });
  withRoot(program.command("confirm"))
    .description("keep changes that could have cut this host off: you can still reach it")
    .addHelpText("after", examples("confirm", "confirm --json"))
    .action(async (options: CommonOptions) => {
      await runVerb(options, async () => await (await import("./confirm.ts")).confirm(options));
    });
  withPhase(withProfile(withRoot(program.command("drift"))))
    .description(
      "what somebody changed after Bedplate, since when and who; puts it back if the profile says so",
    )
    .option(...TEXTFILE)
    .option(...LOG_JSON)
    .addHelpText("after", examples("drift", "drift --json", "drift --textfile --log-json"))
    .action(async (options: DriftOptions) => {
      await runVerb(options, async () => await (await import("./drift.ts")).drift(options));
    });
  withRoot(program.command("rollback"))
    .description("put back every value that Bedplate changed here")
    .option("--unconfirmed", "put back only changes that wait for a confirmation, as their timer does")
    .option(...LOG_JSON)
    .addHelpText("after", examples("rollback", "rollback --unconfirmed"))
    .action(async (options: RollbackOptions) => {
      await runVerb(options, async () => await (await import("./rollback.ts")).rollback(options));
    });
}
