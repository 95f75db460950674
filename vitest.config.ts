import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/helpers/fail-on-console.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Two virtual machines, or a kill -9 sweep beside a compile, would only slow each other down on a small machine.
    maxWorkers: 2,
  },
});
