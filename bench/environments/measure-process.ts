import { writeFileSync } from "node:fs";

/** Loaded before a program (`node --import`): leaves what the program's process took where the variable says. */
const file = process.env["BEDPLATE_MEASURE_FILE"];
if (file !== undefined) {
  process.once("exit", () => {
    const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
    writeFileSync(
      file,
      JSON.stringify({
        wallMillis: performance.now(),
        cpuMillis: (userCPUTime + systemCPUTime) / 1000,
        peakMemoryKiB: maxRSS,
      }),
    );
  });
}
