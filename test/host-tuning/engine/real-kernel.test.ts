import { execFileSync, spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { type Part, ROOT_USER, describeWith } from "../../helpers/needs.ts";
import type { RoundResult } from "./real-kernel-round.ts";

/** A network namespace, so that this machine keeps its values, and folders of its own for the agent's books. */
const INSIDE = ["--net", "--mount", "--", "sh", "-c"];
const SCRIPT = 'mount -t tmpfs books /var/lib && mount -t tmpfs books /run && exec "$@"';

const NAMESPACES: Part = {
  name: "network and mount namespaces",
  howToGet: "run as root where unshare(1) of util-linux may make them",
  isThere: () => spawnSync("unshare", [...INSIDE, SCRIPT, "sh", "true"], { timeout: 20_000 }).status === 0,
};

describeWith([ROOT_USER, NAMESPACES], "the engine on a real kernel", () => {
  it("applies, verifies, sees drift, heals it and rolls back network sysctls of a namespace", () => {
    const round = resolve(import.meta.dirname, "real-kernel-round.ts");
    const output = execFileSync("unshare", [...INSIDE, SCRIPT, "sh", process.execPath, round], {
      encoding: "utf8",
      timeout: 60_000,
    });
    const result = JSON.parse(output) as RoundResult;
    expect(result.applied.changed).toBeGreaterThan(2);
    expect(result.applied.failed).toBe(0);
    expect(result.appliedAgain.changed).toBe(0);
    expect(result.verified).toBe(0);
    expect(result.driftSeen).toEqual(["net.ipv4.tcp_slow_start_after_idle"]);
    expect(result.afterRollback).toEqual(result.atStart);
    expect(result.afterApply).not.toEqual(result.atStart);
    expect(result.refused).toMatch(/^Cannot write "[^"]+" to \/proc\/sys\/net\/ipv4\/tcp_tw_reuse: EINVAL/);
  });
});
