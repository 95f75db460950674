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
import { commitmentsSchema, NO_COMMITMENTS } from "../../../cost/right-size/commitments.ts";
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

      const taken = `${YAML}schedule: { hoursPerMonth: 700 }\n`;
      const other = write("taken.yaml", taken);
      const refused = await run(other, "--write");
      expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
      expect(refused.stderr).toContain("schedule: is there already");
      expect(readFileSync(other, "utf8")).toBe(taken);
    } finally {
      await prometheus.stop();
    }
  }, 120_000);
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
