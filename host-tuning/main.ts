#!/usr/bin/env node
import { Command } from "commander";
import * as z from "zod";
import { addAgentVerbs } from "./verbs/agent-program.ts";
import { runProgram } from "./verbs/run-program.ts";

// Each contract is parsed once or twice a run: a parser that zod compiles for it would cost more than it saves.
z.config({ jitless: true });

/** The agent on a host. In a checkout cli/bedplate.ts has the same verbs and more. */
const program = new Command("bedplate")
  .description("Tunes this host for the MCP servers on it, verifies every change and can take it back")
  .addHelpText(
    "after",
    `
Examples:
  $ bedplate plan                  what would change here, and why
  $ bedplate apply                 change it, read it back, report
  $ bedplate status                what is changed, and is it still in force
  $ bedplate rollback              put everything back

Exit codes: 0 as wanted, 1 something failed, 2 bad input, 3 drift or a stale plan, 4 reboot needed`,
  );
addAgentVerbs(program);
// Not awaited at the top: the archive's program is CommonJS.
void runProgram(program);
