import { styleText } from "node:util";
import { buildCostEstimate } from "../../cost/estimate/build-cost-estimate.ts";
import { loadCatalogue } from "../../cost/catalogue/catalogue.ts";
import { renderEstimateTable } from "../../cost/estimate/render-estimate.ts";
import { renderReport } from "../../host-tuning/report/render-report.ts";
import type { ServiceAnswer } from "./call-service.ts";
import type { UpEnvironment } from "./local-environment.ts";
import type { PhaseTime } from "./phase-clock.ts";

function title(text: string): string {
  return process.stdout.isTTY ? styleText("bold", text) : text;
}

function seconds(millis: number): string {
  return `${(millis / 1000).toFixed(1)} s`;
}

function renderAnswer(answer: ServiceAnswer): string {
  const { limits } = answer;
  const lines = [
    `Asked over MCP ${answer.protocolVersion}, answered by ${answer.serverName} in ${answer.durationMillis.toFixed(0)} ms.`,
    "In force for the service's own process:",
    `  open files        ${limits.openFilesHard ?? "unknown"} (hard limit)`,
    `  CPUs              ${limits.cpusAllowedList ?? "unknown"}, memory nodes ${limits.memsAllowedList ?? "unknown"}`,
    `  listen backlog    ${limits.listenBacklog}`,
    ...Object.entries(limits.sysctls).map(([key, value]) => `  ${key.padEnd(36)} ${value ?? "absent"}`),
  ];
  return lines.join("\n");
}

function renderPhases(phases: readonly PhaseTime[], totalMillis: number): string {
  const rows = phases.map(
    (phase) => `  ${phase.name.padEnd(20)} ${seconds(phase.durationMillis).padStart(9)}`,
  );
  return [...rows, `  ${"total".padEnd(20)} ${seconds(totalMillis).padStart(9)}`].join("\n");
}

/** What `npm run local` prints at its end: address, tuning, answer, cost, times. */
export function renderSummary(
  up: UpEnvironment,
  answers: readonly ServiceAnswer[],
  phases: readonly PhaseTime[],
  totalMillis: number,
): string {
  const estimate = buildCostEstimate(up.environment, loadCatalogue(up.environment.region), "team");
  const machines = up.machines.flatMap((machine, index) => {
    const answer = answers[index];
    return [
      title(`${machine.name}: ${machine.serviceUrl}`),
      `  shell: node components/hosts/local-vm/main.ts ssh --name ${machine.name}`,
      "",
      renderReport(machine.report),
      ...(answer === undefined ? [] : [title("Tool call: effective_limits"), renderAnswer(answer), ""]),
    ];
  });
  return [
    title(`Environment ${up.environment.name}, brought up ${up.how.text}`),
    ...up.how.tried.map((line) => `  ${line}`),
    "",
    ...machines,
    title("Cost by team"),
    renderEstimateTable(estimate),
    title("Time"),
    renderPhases(phases, totalMillis),
    "",
    "Take it down with: npm run local -- down",
    "",
  ].join("\n");
}
