import { readFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { environmentSchema } from "../../../components/environment/environment-spec.ts";
import { loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import { buildOffHours } from "../../../cost/off-hours/build-off-hours.ts";
import { type OffHours, offHoursSchema } from "../../../cost/off-hours/off-hours.ts";
import { type Proposal, proposeSchedule } from "../../../cost/off-hours/propose-schedule.ts";
import type { HourOfCalls } from "../../../cost/off-hours/read-hourly-calls.ts";
import { parseHourlyCalls } from "../../../cost/off-hours/read-hourly-calls-csv.ts";
import { commitmentsSchema, NO_COMMITMENTS } from "../../../cost/right-size/commitments.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { describeWith } from "../../helpers/needs.ts";
import { PROMETHEUS, startPrometheus } from "../../helpers/prometheus-history.ts";
import { costCommand } from "../cost-command.ts";
import { scratchFolder } from "../report/scratch-folder.ts";

const write = scratchFolder();

/** A Monday, 00:00 UTC. */
const MONDAY_SECONDS = Date.UTC(2026, 5, 1) / 1000;
const ALWAYS = { running: undefined, hoursPerMonth: 730 };

/** Hours of some weeks, with calls where `isCalled` says so of weekday (Monday is 0) and hour, UTC. */
function weeks(
  count: number,
  isCalled: (weekday: number, hour: number, week: number) => boolean | undefined,
): HourOfCalls[] {
  return Array.from({ length: count * 168 }, (_, index) => ({
    startSeconds: MONDAY_SECONDS + index * 3600,
    isCalled: isCalled(Math.floor(index / 24) % 7, index % 24, Math.floor(index / 168)),
  }));
}

function officeHours(weekday: number, hour: number): boolean {
  return weekday < 5 && hour >= 9 && hour < 17;
}

function propose(hours: readonly HourOfCalls[], timeZone = "Etc/UTC"): Proposal {
  return proposeSchedule({ hours, timeZone, now: ALWAYS });
}

describe("proposeSchedule()", () => {
  it("is the shortest schedule around the calls, with an hour to start before", () => {
    expect(propose(weeks(4, officeHours))).toEqual({
      proposal: {
        running: { days: "MON-FRI", from: "08:00", to: "17:00", timeZone: "Etc/UTC" },
        hoursPerMonth: 196,
      },
      because: "no call was seen outside of it",
      confidence: "high",
    });
  });

  it("goes by the clock of its time zone, also where that is half an hour off", () => {
    const berlin = propose(weeks(3, officeHours), "Europe/Berlin");
    expect(berlin.proposal?.running).toMatchObject({ from: "10:00", to: "19:00" });
    expect(berlin.confidence).toBe("low");
    expect(propose(weeks(3, officeHours), "Asia/Kolkata").proposal?.running).toMatchObject({
      from: "13:00",
      to: "23:00",
    });
  });

  it("widens for a single call on a Saturday, and for one on a Sunday", () => {
    const withCall = (day: number): HourOfCalls[] =>
      weeks(
        4,
        (weekday, hour, week) => officeHours(weekday, hour) || (week === 2 && weekday === day && hour === 12),
      );
    expect(propose(withCall(5)).proposal?.running.days).toBe("MON-SAT");
    expect(propose(withCall(6)).proposal?.running.days).toBe("SUN-SAT");
  });

  it("never takes an hour that was not watched for a quiet one", () => {
    const blind = weeks(4, (weekday, hour) =>
      weekday === 5 && hour === 3 ? undefined : officeHours(weekday, hour),
    );
    const { proposal, because } = propose(blind);
    expect(proposal?.running).toMatchObject({ days: "MON-SAT", from: "02:00" });
    expect(because).toContain("of 1 hours of the week less than 2 weeks are known");
    expect(propose(weeks(1, officeHours)).proposal).toBeNull();
  });

  it("has none where there are no calls, calls at midnight, or a schedule that is as short", () => {
    expect(propose(weeks(4, () => false))).toMatchObject({ proposal: null, confidence: "none" });
    expect(propose(weeks(4, (_, hour) => hour === 23)).because).toContain("up to midnight");
    const running = { days: "MON-FRI", from: "08:00", to: "17:00", timeZone: "Etc/UTC" } as const;
    // Hosts are off outside of it, and nothing is scraped then.
    const hours = weeks(4, (weekday, hour) =>
      weekday < 5 && hour >= 8 && hour < 17 ? hour >= 9 : undefined,
    );
    const now = { running, hoursPerMonth: 196 };
    expect(proposeSchedule({ hours, timeZone: "Etc/UTC", now }).because).toContain("no schedule is shorter");
  });

  it("never leaves a call outside, whenever calls are", () => {
    const zone = fc.constantFrom(
      "Etc/UTC",
      "Europe/Berlin",
      "Asia/Kolkata",
      "America/New_York",
      "Pacific/Auckland",
    );
    const called = fc.uniqueArray(fc.integer({ min: 0, max: 167 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(zone, called, (timeZone, slots) => {
        const hours = weeks(4, (weekday, hour) => slots.includes(weekday * 24 + hour));
        const running = propose(hours, timeZone).proposal?.running;
        if (running === undefined) return;
        const clock = new Intl.DateTimeFormat("en-GB", {
          timeZone,
          weekday: "short",
          hour: "2-digit",
          minute: "2-digit",
        });
        const offDays = { "MON-FRI": ["Sat", "Sun"], "MON-SAT": ["Sun"], "SUN-SAT": [] }[running.days];
        for (const { startSeconds } of hours.filter(({ isCalled }) => isCalled === true)) {
          for (const seconds of [startSeconds, startSeconds + 3599]) {
            const text = clock.format(new Date(seconds * 1000));
            const time = text.slice(-5);
            expect(offDays).not.toContain(text.slice(0, 3));
            expect(time >= running.from && time < running.to).toBe(true);
          }
        }
      }),
    );
  });
});

const SPEC = {
  apiVersion: "bedplate/v1",
  kind: "Environment",
  name: "night",
  region: "us-east-1",
  owner: { team: "payments", costCenter: "CC-7", service: "mcp-tools" },
  hostPools: [{ name: "web", where: "aws", count: 2, needs: { vcpus: 2, memoryGiB: 4 } }],
  service: { runtime: "systemd" },
  budget: { currency: "USD", perMonth: "10.00" },
};
const environment = environmentSchema.parse(SPEC);

function offHours(commitments = NO_COMMITMENTS): OffHours {
  return offHoursSchema.parse(
    buildOffHours({
      environment,
      calls: { hours: weeks(4, officeHours), warnings: [] },
      source: "http://prometheus.example",
      timeZone: "Etc/UTC",
      catalogue: loadCatalogue("us-east-1"),
      commitments,
    }),
  );
}

describe("buildOffHours()", () => {
  it("saves the hosts' price in the hours that are off, and nothing that is reserved", () => {
    const { pools, saving } = offHours();
    const [pool] = pools;
    // 730 less 196 hours.
    expect(Number(saving.perMonth)).toBeCloseTo(Number(pool?.perHour) * 534, 9);
    expect(saving.perMonth).toBe(saving.beforeCommitmentsPerMonth);
    const reserved = (count: number): OffHours =>
      offHours(
        commitmentsSchema.parse({
          apiVersion: "bedplate/v1",
          kind: "Commitments",
          currency: "USD",
          reservations: [{ instanceType: pool?.instanceType, count }],
        }),
      );
    expect(Number(reserved(1).saving.perMonth)).toBeCloseTo(Number(saving.perMonth) / 2, 9);
    expect(reserved(2).saving).toMatchObject({ perMonthRounded: "0.00" });
  });
});

const YAML = `# who pays is below
apiVersion: bedplate/v1
kind: Environment
name: night
region: us-east-1
owner: { team: payments, costCenter: CC-7, service: mcp-tools }
hostPools:
  - { name: web, where: aws, count: 2, needs: { vcpus: 2, memoryGiB: 4 } }
service: { runtime: systemd }
budget: # the month's
  currency: USD
  perMonth: "10.00"
`;
const TYPESCRIPT = `export const night = {
  // as JSON has it
  ...${JSON.stringify({})},
  apiVersion: "bedplate/v1", kind: "Environment", name: "night", region: "us-east-1",
  owner: { team: "payments", costCenter: "CC-7", service: "mcp-tools" },
  hostPools: [{ name: "web", where: "aws", count: 2, needs: { vcpus: 2, memoryGiB: 4 } }],
  service: { runtime: "systemd" },
  budget: { currency: "USD", perMonth: "10.00" }
};
`;

/** A month with calls from 9 to 17, Monday to Friday, as OpenMetrics. */
function history(): string {
  const up: string[] = [];
  const calls: string[] = [];
  let count = 0;
  for (const { startSeconds, isCalled } of weeks(2, officeHours)) {
    for (const minutes of [5, 20, 35, 50]) {
      if (isCalled === true) count += 3;
      const time = startSeconds + minutes * 60;
      up.push(`up{job="mcp-tools"} 1 ${time}`);
      calls.push(
        `mcp_tool_call_duration_seconds_count{job="mcp-tools",tool="echo",outcome="ok"} ${count} ${time}`,
      );
    }
  }
  return [...up, ...calls, "# EOF", ""].join("\n");
}

describeWith(PROMETHEUS, "bedplate cost off-hours, on a real Prometheus", () => {
  it("proposes by the service's calls and writes the schedule for review, and nothing else", async () => {
    const prometheus = await startPrometheus(history());
    const run = (env: string, ...args: string[]): ReturnType<typeof costCommand> =>
      costCommand(
        path.dirname(env),
        "off-hours",
        ...`--days 14 --until 2026-06-15T00:00:00Z --usage ${prometheus.address}`.split(" "),
        "--env",
        env,
        ...args,
      );
    try {
      const yaml = write("night.yaml", YAML);
      const told = await run(yaml, "--json");
      expect(told.stderr).toBe("");
      const { proposal, usage } = offHoursSchema.parse(JSON.parse(told.stdout));
      expect(usage).toMatchObject({ watchedHours: 336, unwatchedHours: 0, busyHours: 80 });
      expect(proposal?.running).toEqual({ days: "MON-FRI", from: "08:00", to: "17:00", timeZone: "Etc/UTC" });
      expect(readFileSync(yaml, "utf8")).toBe(YAML);
      const table = await run(yaml, "--write");
      expect(table).toMatchObject({ exitCode: 0 });
      expect(table.stdout.split("\n").filter((line) => line.length > 100)).toEqual([]);
      const schedule = `{"running":{"days":"MON-FRI","from":"08:00","to":"17:00","timeZone":"Etc/UTC"}}`;
      expect(readFileSync(yaml, "utf8")).toBe(YAML.replace("budget:", `schedule: ${schedule}\nbudget:`));
      const again = await run(yaml, "--write");
      expect(again.stderr).toBe("");
      expect(again.stdout).toContain("no schedule is shorter");

      const typescript = write("night.ts", TYPESCRIPT);
      expect((await run(typescript, "--write")).exitCode).toBe(0);
      expect(readFileSync(typescript, "utf8")).toBe(
        TYPESCRIPT.replace("  budget:", `  schedule: ${schedule},\n  budget:`),
      );
      const json = write("night.json", JSON.stringify(SPEC));
      expect((await run(json, "--write")).exitCode).toBe(0);
      expect(JSON.parse(readFileSync(json, "utf8"))).toEqual({ ...SPEC, schedule: JSON.parse(schedule) });
    } finally {
      await prometheus.stop();
    }
  }, 120_000);
});

/** The same month as a file. */
function hoursCsv(): string {
  const lines = weeks(2, officeHours).map(
    ({ startSeconds, isCalled }) =>
      `${new Date(startSeconds * 1000).toISOString()},${isCalled === true ? 12 : 0}`,
  );
  return `hour,calls\n${lines.join("\n")}\n`;
}

const SCHEDULE = `{"running":{"days":"MON-FRI","from":"08:00","to":"17:00","timeZone":"Etc/UTC"}}`;

describe("bedplate cost off-hours, from a file", () => {
  const run = (env: string, ...args: string[]): ReturnType<typeof costCommand> =>
    costCommand(path.dirname(env), "off-hours", "--days", "14", "--env", env, ...args);

  it("proposes what the same calls in a Prometheus would, whatever is missing before the first hour", async () => {
    const usage = write("calls.csv", hoursCsv());
    const env = write("night.yaml", YAML);
    const told = await run(env, "--usage", usage, "--json");
    expect(told.stderr).toBe("");
    const read = offHoursSchema.parse(JSON.parse(told.stdout));
    expect(read.usage).toMatchObject({
      source: "calls.csv",
      watchedHours: 336,
      unwatchedHours: 0,
      busyHours: 80,
    });
    expect(read.proposal?.running).toEqual(JSON.parse(SCHEDULE).running);
    const longer = await run(env, "--usage", usage, "--json", "--days", "28");
    expect(JSON.parse(longer.stdout)).toMatchObject({ usage: { watchedHours: 336, unwatchedHours: 336 } });
    const later = await run(env, "--usage", usage, "--until", "2027-01-01T00:00:00Z");
    expect(later).toMatchObject({ exitCode: 2, stdout: "" });
    expect(later.stderr).toContain("has no hour of the 14 days before 2027-01-01T00:00:00.000Z");
  });

  it.each([
    ["schedule: { hoursPerMonth: 700 }\n", `schedule: ${SCHEDULE}\n`],
    [
      "schedule: # was agreed\n  hoursPerMonth: 700 # all\n# who wants it\n",
      `schedule: ${SCHEDULE} # all\n# who wants it\n`,
    ],
    ['"schedule": {\n  hoursPerMonth: 700 }\n', `"schedule": ${SCHEDULE}\n`],
  ])("writes the schedule in the place of one in YAML: %j", async (before, after) => {
    const usage = write("calls.csv", hoursCsv());
    for (const [at, end] of [
      [YAML.indexOf("budget:"), ""],
      [YAML.length, ""],
      [YAML.length, "# end\n"],
    ] as const) {
      const around = (schedule: string): string => `${YAML.slice(0, at)}${schedule}${YAML.slice(at)}${end}`;
      const file = write("taken.yaml", around(before));
      const { exitCode, stderr } = await run(file, "--usage", usage, "--write");
      expect(stderr).toContain("was written and read back");
      expect(exitCode).toBe(0);
      expect(readFileSync(file, "utf8")).toBe(around(after));
    }
  });

  it("writes the schedule in the place of one in TypeScript and JSON", async () => {
    const usage = write("calls.csv", hoursCsv());
    const typescript = TYPESCRIPT.replace(
      "  budget:",
      "  schedule: {\n    hoursPerMonth: 700,\n  }, // nights too\n  budget:",
    );
    const file = write("night.ts", typescript);
    expect((await run(file, "--usage", usage, "--write")).exitCode).toBe(0);
    expect(readFileSync(file, "utf8")).toBe(
      TYPESCRIPT.replace("  budget:", `  schedule: ${SCHEDULE}, // nights too\n  budget:`),
    );
    const json = write("night.json", JSON.stringify({ schedule: { hoursPerMonth: 700 }, ...SPEC }, null, 2));
    expect((await run(json, "--usage", usage, "--write")).exitCode).toBe(0);
    expect(JSON.parse(readFileSync(json, "utf8"))).toEqual({ ...SPEC, schedule: JSON.parse(SCHEDULE) });
  });

  it("fails on a schedule that the file takes from elsewhere, and changes nothing", async () => {
    const usage = write("calls.csv", hoursCsv());
    const shared = `const schedule = { hoursPerMonth: 700 };\n${TYPESCRIPT.replace("  budget:", "  schedule,\n  budget:")}`;
    const file = write("night.ts", shared);
    const refused = await run(file, "--usage", usage, "--write");
    expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
    expect(refused.stderr).toContain("schedule: is no plain value in the file: make it");
    expect(readFileSync(file, "utf8")).toBe(shared);
  });
});

describe("parseHourlyCalls()", () => {
  it("fails with every line that is no hour", () => {
    const text =
      "hour,calls\n2026-02-30T09:00:00Z,1\n2026-07-01T09:30:00Z,x\n2026-07-01T09:00:00Z,0\n2026-07-01T09:00:00Z,1\n";
    expect(() => parseHourlyCalls(text, "calls.csv")).toThrow(
      new InputError("calls.csv", [
        { path: "line 2", message: '"2026-02-30T09:00:00Z" is no whole hour as 2026-07-01T09:00:00Z' },
        { path: "line 3", message: '"2026-07-01T09:30:00Z" is no whole hour as 2026-07-01T09:00:00Z' },
        { path: "line 3", message: '"x" is no number of calls' },
        { path: "line 5", message: "the hour 2026-07-01T09:00:00Z is there twice" },
      ]),
    );
    expect(() => parseHourlyCalls("hour,calls\n", "calls.csv")).toThrow("has a header and no hours");
    expect(() => parseHourlyCalls("", "calls.csv")).toThrow("the header is hour,calls");
    expect(() => parseHourlyCalls('hour,calls\n"2026', "calls.csv")).toThrow(InputError);
  });

  it("reads any text or refuses it in words", () => {
    const cell = fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom("2026-07-01T09:00:00Z", "0", "1.5", '"', ","),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell)), (lines) => {
        const text = `hour,calls\n${lines.map((line) => line.join(",")).join("\n")}`;
        try {
          const { hours } = parseHourlyCalls(text, "calls.csv");
          expect(hours.length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
    );
  });
});

describe("bedplate cost off-hours", () => {
  it("fails on a time zone and a number of days that are none", async () => {
    const env = write("night.json", JSON.stringify(SPEC));
    const run = (...args: string[]): ReturnType<typeof costCommand> =>
      costCommand(path.dirname(env), "off-hours", "--env", env, "--usage", "http://127.0.0.1:1", ...args);
    expect((await run("--days", "7")).stderr).toContain("--days:");
    const zone = await run("--time-zone", "Middle/Earth");
    expect(zone).toMatchObject({ exitCode: 2, stdout: "" });
    expect(zone.stderr).toContain("--time-zone:");
  });
});
