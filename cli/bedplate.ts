#!/usr/bin/env node
import { Command } from "commander";
import { loadEnvironment, loadEnvironmentFile } from "../components/environment/load-environment.ts";
import { addCostVerbs } from "../cost/cost-program.ts";
import { addAgentVerbs } from "../host-tuning/verbs/agent-program.ts";
import { runProgram } from "../host-tuning/verbs/run-program.ts";

/** `bedplate` in a checkout: the agent's verbs, and `cost`. On a host the archive carries the agent's alone. */
const program = new Command("bedplate").description(
  "Provisions, tunes and bills the hosts that MCP servers run on",
);
addAgentVerbs(program);
addCostVerbs(program, {
  // A name has neither a dot nor a slash.
  loadEnvironment: (env) => (/[./\\]/.test(env) ? loadEnvironmentFile(env) : loadEnvironment(env)),
});
await runProgram(program);
