import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LOCK_PATH } from "../../../host-tuning/engine/agent-lock.ts";
import { applyPlan } from "../../../host-tuning/engine/apply-plan.ts";
import { rollbackHost } from "../../../host-tuning/engine/rollback-host.ts";
import { readFacts } from "../../../host-tuning/facts/read-facts.ts";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import type { HostReport } from "../../../host-tuning/report/host-report.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { RICH_PROFILE } from "../../helpers/rich-host.ts";

const BOOT_ID = "/proc/sys/kernel/random/boot_id";
const STAGING = /\.bedplate-new$/;

/** Both phases, each from facts of its own, as at boot. */
export async function applyAll(root: string): Promise<readonly HostReport[]> {
  const reports: HostReport[] = [];
  for (const phase of ["early", "late"] as const) {
    const host = openHost(root);
    const facts = await readFacts(host);
    reports.push(await applyPlan({ host, facts, profile: RICH_PROFILE, knobs: KNOBS, phase }));
  }
  return reports;
}

export async function rollbackAll(root: string): Promise<HostReport> {
  return await rollbackHost({ host: openHost(root), knobs: KNOBS, hostname: null, kernelRelease: null });
}

/** The lock of a run that "died" in this process names a process that lives: as the kernel would, say that it does not. */
export function buryDeadAgent(root: string): void {
  const lock = join(root, LOCK_PATH);
  if (!existsSync(lock)) return;
  const holder = JSON.parse(readFileSync(lock, "utf8")) as { started: string };
  writeFileSync(lock, JSON.stringify({ ...holder, started: "0" }));
}

/** The agent's books as on the first day. */
export function forgetBooks(root: string): void {
  for (const folder of ["/var/lib/bedplate", "/run/bedplate"]) {
    rmSync(join(root, folder), { recursive: true, force: true });
  }
}

/**
 * What a reboot does to a captured tree: the kernel's own files hold what they held at the start, /run is empty, and
 * the boot has another id. Files of /etc stay as they are.
 *
 * @param changed paths that apply changes; nobody else writes here
 */
export function reboot(
  root: string,
  start: Readonly<Record<string, string>>,
  changed: readonly string[],
): void {
  for (const path of changed) {
    if (!/^\/(proc|sys)\//.test(path)) continue;
    const [, content = ""] = /^\d+ (.*)$/s.exec(start[path] ?? "") ?? [];
    writeFileSync(join(root, path), Buffer.from(content, "latin1"));
    rmSync(stagingBeside(root, path), { force: true });
  }
  rmSync(join(root, "/run/bedplate"), { recursive: true, force: true });
  const id = readFileSync(join(root, BOOT_ID), "utf8").trim();
  const next = (Number.parseInt(id.slice(-6), 16) + 1) % 0xffffff;
  writeFileSync(join(root, BOOT_ID), `${id.slice(0, -6)}${next.toString(16).padStart(6, "0")}\n`);
}

function stagingBeside(root: string, path: string): string {
  const cut = path.lastIndexOf("/");
  return join(root, path.slice(0, cut), `.${path.slice(cut + 1)}.bedplate-new`);
}

/** A tree without what may differ after a crash and a reboot: which boot this is. */
export function withoutBoot(state: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(state).filter(([path]) => path !== BOOT_ID));
}

/** Paths that are neither as before nor as after, or that are new or gone. What was staged may lie about. */
export function inBetween(
  now: Readonly<Record<string, string>>,
  start: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): string[] {
  const strange = Object.entries(now).filter(
    ([path, content]) => !STAGING.test(path) && content !== start[path] && content !== after[path],
  );
  const gone = Object.keys(start).filter((path) => now[path] === undefined && after[path] !== undefined);
  return [...strange.map(([path]) => path), ...gone];
}
