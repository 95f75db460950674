import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { errnoOf, errnoText } from "../../../host-tuning/sys/errno.ts";

function failureOf(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}

test("a failed system call is told by its code and the C library's words", () => {
  const error = failureOf(() => readFileSync("/proc/no-such-file"));
  expect(errnoOf(error)).toBe("ENOENT");
  expect(errnoText(error)).toBe("ENOENT (no such file or directory)");
});

test("an error that only the kernel's own header names is told by that name", () => {
  // As Node throws it for a write to /proc/sys/kernel/nmi_watchdog in a guest without performance counters.
  const error = Object.assign(new Error("Unknown system error -524: Unknown system error -524, write"), {
    errno: -524,
    code: "Unknown system error -524",
    syscall: "write",
  });
  expect(errnoText(error)).toBe("ENOTSUPP (not supported by the driver)");
});

test("any other error is told by its message", () => {
  expect(errnoText(new Error("no luck"))).toBe("no luck");
  expect(errnoText("no error at all")).toBe("no error at all");
});
