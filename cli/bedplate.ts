#!/usr/bin/env node
import { Command } from "commander";
import { environmentFileOf, loadNamedEnvironment } from "../components/environment/load-environment.ts";
import { addHostsVerb } from "../components/hosts/aws/hosts-program.ts";
import { addCostVerbs } from "../cost/cost-program.ts";
import { addAgentVerbs } from "../host-tuning/verbs/agent-program.ts";
import { runProgram } from "../host-tuning/verbs/run-program.ts";

/** `bedplate` in a checkout: the agent's verbs, `hosts` and `cost`. On a host the archive carries the agent's alone. */
const program = new Command("bedplate").description(
  "Provisions, tunes and bills the hosts that MCP servers run on",
);
addAgentVerbs(program);
addHostsVerb(program, { loadEnvironment: (env) => loadNamedEnvironment(env) });
addCostVerbs(program, {
  loadEnvironment: (env) => loadNamedEnvironment(env),
  environmentFile: (env) => environmentFileOf(env),
});
await runProgram(program);
