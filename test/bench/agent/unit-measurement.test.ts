import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MeasurementError, parseProperties, sampleOf } from "../../../bench/agent/unit-measurement.ts";

/** As printed in a VM with systemd 252. */
const PRINTED = `Result=success
ExecMainStartTimestampMonotonic=470634869
ExecMainExitTimestampMonotonic=477409833
ExecMainStatus=0
CPUUsageNSec=8628596000
MaxRssKiB=97332
MemoryPeak=57507840
DaemonCPUUsageBeforeNSec=0
DaemonCPUUsageAfterNSec=0
`;

const WITH_DAEMON = `${PRINTED.replace("BeforeNSec=0", "BeforeNSec=1500000000").replace("AfterNSec=0", "AfterNSec=1750000000")}DaemonMemoryPeak=23494656
DaemonMaxRssKiB=27336
`;

describe("parseProperties()", () => {
  it("keeps what stands after the first equals sign", () => {
    expect([...parseProperties("Result=success\n\nEnvironment=A=1 B=2\nnoise\nEmpty=\n")]).toEqual([
      ["Result", "success"],
      ["Environment", "A=1 B=2"],
      ["Empty", ""],
    ]);
  });

  it("takes any text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const name of parseProperties(text).keys()) expect(text).toContain(`${name}=`);
      }),
    );
  });
});

describe("sampleOf()", () => {
  it("turns systemd's microseconds, nanoseconds and bytes into milliseconds and KiB", () => {
    expect(sampleOf(parseProperties(PRINTED))).toEqual({
      wallMillis: 6775,
      cpuMillis: 8628.6,
      maxRssKiB: 97_332,
      peakCgroupKiB: 56_160,
    });
  });

  it("adds what the daemon used meanwhile, and its peaks", () => {
    expect(sampleOf(parseProperties(WITH_DAEMON))).toEqual({
      wallMillis: 6775,
      cpuMillis: 8878.6,
      maxRssKiB: 97_332 + 27_336,
      peakCgroupKiB: 56_160 + 22_944,
    });
  });

  it.each([
    ["an exit code", "ExecMainStatus=0", "ExecMainStatus=3", "exit code 3"],
    ["a kill", "Result=success", "Result=oom-kill", "Result=oom-kill"],
    [
      "a number that is not set",
      "CPUUsageNSec=8628596000",
      "CPUUsageNSec=[not set]",
      "CPUUsageNSec=[not set]",
    ],
    ["a missing number", "MaxRssKiB=97332\n", "", "MaxRssKiB=(missing)"],
    ["GNU time's words", "MaxRssKiB=97332", "MaxRssKiB=Command terminated", "MaxRssKiB=Command terminated"],
  ])("fails on %s: a run that failed early would look fast", (_, from, to, message) => {
    const properties = parseProperties(PRINTED.replace(from, to));
    expect(() => sampleOf(properties)).toThrow(MeasurementError);
    expect(() => sampleOf(properties)).toThrow(message);
  });
});
