import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";
import { readServicePid } from "./systemd-unit.ts";

/** A resource limit: what a process has, and up to where it may raise it by itself. */
export interface Limits {
  readonly soft: number;
  readonly hard: number;
}

/** systemd's two forms: "n" and "soft:hard". */
export const LIMITS_TEXT = /^(?:\d+|infinity)(?::(?:\d+|infinity))?$/;

export function limitsText({ soft, hard }: Limits): string {
  const word = (limit: number): string => (Number.isFinite(limit) ? String(limit) : "infinity");
  return `${word(soft)}:${word(hard)}`;
}

/** systemd's "n", "soft:hard" and "infinity". */
export function parseLimits(text: string): Limits {
  const [soft = "", hard = soft] = text.split(":");
  const number = (word: string): number => (word.trim() === "infinity" ? Infinity : Number(word));
  return { soft: number(soft), hard: number(hard) };
}

/**
 * A limit of the service's main process, "soft:hard"; `undefined` when the service is not running.
 *
 * @param name as /proc/PID/limits has it: "Max open files"
 * @throws {TuningError} HOST_PARSE when the file has no such line
 */
export async function readProcessLimits(host: Host, unit: string, name: string): Promise<string | undefined> {
  const pid = await readServicePid(host, unit);
  const path = `/proc/${pid}/limits`;
  const text = pid === undefined ? undefined : await host.readText(path);
  if (text === undefined) return undefined;
  const line = text.split("\n").find((candidate) => candidate.startsWith(name)) ?? "";
  const [, soft, hard] = /^ +(\d+|unlimited) +(\d+|unlimited) /.exec(line.slice(name.length)) ?? [];
  if (soft === undefined || hard === undefined)
    throw new TuningError("HOST_PARSE", path, `Cannot read ${path}: no line "${name}"`);
  return `${soft}:${hard}`.replaceAll("unlimited", "infinity");
}
