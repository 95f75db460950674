import { configDefaults, defineConfig } from "vitest/config";

/** Tests of many minutes that boot machines of their own (`*.long.test.ts`); they run with BEDPLATE_LONG=1 alone. */
const isLong = process.env["BEDPLATE_LONG"] === "1";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...(isLong ? [] : ["test/**/*.long.test.ts"])],
    setupFiles: ["test/helpers/fail-on-console.ts", "test/helpers/property-seed.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Two virtual machines, or a kill -9 sweep beside a compile, would only slow each other down on a small machine.
    maxWorkers: 2,
  },
});
