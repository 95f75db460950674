import { describe, expect, it } from "vitest";
import { renderConfirmations } from "../../../host-tuning/report/render-confirmations.ts";

describe("what can cut a host off, for people", () => {
  const keys = Array.from({ length: 12 }, (_, queue) => `nic.rx-queue[enp1s0:${queue}]`);

  it("fits a page, says every key once and the reason last", () => {
    const lines = renderConfirmations([
      { state: "waiting", keys, deadline: "2026-11-21T10:00:00.123Z", because: "no gateway answered" },
    ]);
    expect(lines.every((line) => line.length <= 100)).toBe(true);
    expect(lines.length).toBeGreaterThan(2);
    const said = lines.map((line) => line.trim()).join(" ");
    expect(said).toBe(
      `not confirmed: ${keys.join(", ")} (no gateway answered); taken back after 2026-11-21T10:00:00Z unless confirmed`,
    );
  });

  it("a short one is one line", () => {
    expect(
      renderConfirmations([{ state: "confirmed", keys: ["a"], deadline: null, because: "gateway answers" }]),
    ).toEqual(["confirmed: a (gateway answers)"]);
  });

  it("what a device's name holds does not repaint a terminal", () => {
    const [line] = renderConfirmations([
      { state: "taken-back", keys: ["nic[\u001b[2J]"], deadline: null, because: "deadline" },
    ]);
    expect(line).toContain("nic[\\x1b[2J]");
  });
});
