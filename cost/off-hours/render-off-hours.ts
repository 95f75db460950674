import type { RunningHours } from "../../components/environment/schedule.ts";
import { csvLine } from "../report/render-csv.ts";
import { cellText, renderColumns, wrapText } from "../report/render-table.ts";
import type { OffHours } from "./off-hours.ts";

function runningText(running: RunningHours | null): string {
  return running === null
    ? "always"
    : `${running.days} ${running.from} to ${running.to}, ${running.timeZone}`;
}

/** The proposal for a terminal, at most 100 columns wide. */
export function renderOffHoursTable(offHours: OffHours): string {
  const { environment, team, region, usage, now, proposal, because, confidence, pools, saving, currency } =
    offHours;
  const schedule = [
    ["", "runs", "hours a month"],
    ["now", runningText(now.running), String(now.hoursPerMonth)],
    ...(proposal === null
      ? []
      : [["proposed", runningText(proposal.running), String(proposal.hoursPerMonth)]]),
  ];
  const hosts = pools.map((pool) => [
    cellText(pool.pool, 30),
    `${pool.count} x ${pool.instanceType ?? "?"}`,
    pool.perHour === null ? "unpriced" : `${pool.perHour} ${currency}`,
  ]);
  return `${[
    `Off hours of ${cellText(environment, 40)} (${cellText(team, 30)}, ${region})`,
    wrapText(
      `Calls of ${usage.first.slice(0, 16)} to ${usage.last.slice(0, 16)} UTC by ${usage.source}: ${usage.busyHours} of ${usage.watchedHours} hours with calls, ${usage.unwatchedHours} not watched`,
      "",
    ),
    "",
    renderColumns(schedule, ["left", "left", "right"]),
    wrapText(proposal === null ? `No proposal: ${because}` : `Confidence ${confidence}: ${because}`, ""),
    "",
    renderColumns([["pool", "hosts", "an hour"], ...hosts], ["left", "left", "right"]),
    `Saving: ${saving.perMonthRounded} ${currency} a month, at prices of ${offHours.pricesAsOf}`,
    "",
    "Assumptions",
    ...offHours.assumptions.map((text) => `- ${wrapText(text, "  ")}`),
    ...(offHours.notes.length === 0
      ? []
      : ["", "Notes", ...offHours.notes.map((note) => `- ${wrapText(cellText(note, 400), "  ")}`)]),
  ].join("\n")}\n`;
}

const HEADER =
  "environment,team,region,currency,hours_now,hours_proposed,days,from,to,time_zone,confidence,saving_per_month,saving_per_month_rounded,saving_before_commitments".split(
    ",",
  );

/** The proposal as CSV by RFC 4180, one line. */
export function renderOffHoursCsv({
  environment,
  team,
  region,
  currency,
  now,
  proposal,
  confidence,
  saving,
}: OffHours): string {
  const running = proposal?.running;
  return (
    csvLine(HEADER) +
    csvLine([
      environment,
      team,
      region,
      currency,
      String(now.hoursPerMonth),
      String(proposal?.hoursPerMonth ?? ""),
      running?.days ?? "",
      running?.from ?? "",
      running?.to ?? "",
      running?.timeZone ?? "",
      confidence,
      saving.perMonth,
      saving.perMonthRounded,
      saving.beforeCommitmentsPerMonth,
    ])
  );
}
