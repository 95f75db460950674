import { existsSync } from "node:fs";
import { mkdtemp, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import type { Environment } from "../../components/environment/environment-spec.ts";
import { InputError } from "../../host-tuning/errors.ts";
import { readEnvironmentAnew } from "./read-environment-anew.ts";

const TIMEOUT_MILLIS = 120_000;

/** A hook of git sets these to its own repository, and every path would be taken from there. */
const THIS_REPOSITORY = { GIT_DIR: undefined, GIT_WORK_TREE: undefined, GIT_INDEX_FILE: undefined };

/** An environment's file as it was at a commit; `environment` is undefined where it was not there yet. */
export interface EnvironmentAtRevision {
  /** Shortened, for people. */
  readonly commit: string;
  readonly environment: Environment | undefined;
}

function refuse(revision: string, message: string): InputError {
  return new InputError("command line", [{ path: `--diff ${revision}`, message }]);
}

async function git(
  folder: string,
  args: readonly string[],
): Promise<{ ok: boolean; stdout: string; stderr: string }> {
  const result = await execa("git", ["-C", folder, ...args], {
    env: THIS_REPOSITORY,
    reject: false,
    timeout: TIMEOUT_MILLIS,
  });
  const stderr =
    typeof result.stderr === "string" && result.stderr !== "" ? result.stderr : (result.shortMessage ?? "");
  return { ok: !result.failed, stdout: result.stdout.trim(), stderr: stderr.split("\n")[0] ?? "" };
}

/** Unpacks a commit into a folder, with today's packages beside it. The checkout and its worktrees stay as they are. */
async function unpack(top: string, commit: string, folder: string, revision: string): Promise<void> {
  const archive = path.join(folder, "revision.tar");
  const tree = path.join(folder, "tree");
  const packed = await git(top, ["archive", "--format=tar", `--output=${archive}`, `--prefix=tree/`, commit]);
  if (!packed.ok) throw refuse(revision, `git cannot archive it: ${packed.stderr}`);
  const unpacked = await execa("tar", ["-xf", archive, "-C", folder], {
    reject: false,
    timeout: TIMEOUT_MILLIS,
  });
  if (unpacked.failed) throw refuse(revision, `tar cannot unpack it: ${unpacked.shortMessage ?? "failed"}`);
  const modules = path.join(top, "node_modules");
  const place = path.join(tree, "node_modules");
  if (existsSync(modules) && !existsSync(place)) await symlink(modules, place);
}

/**
 * An environment as its file was at another git revision. The whole commit is unpacked into a folder of its own, because
 * a file may import others of its revision, and the file is run there in a process that can only read.
 *
 * @throws {InputError} when there is no such revision or the file of then is wrong by today's contract, with every fault
 */
export async function environmentAtRevision(file: string, revision: string): Promise<EnvironmentAtRevision> {
  const target = await realpath(file);
  const top = await git(path.dirname(target), ["rev-parse", "--show-toplevel"]);
  if (!top.ok) throw refuse(revision, `${file} is in no git repository: ${top.stderr}`);
  const resolved = await git(top.stdout, [
    "rev-parse",
    "--verify",
    "--quiet",
    "--end-of-options",
    `${revision}^{commit}`,
  ]);
  if (!resolved.ok)
    throw refuse(revision, "there is no such revision; is the clone a shallow one (fetch-depth: 0)?");
  const commit = resolved.stdout;
  const folder = await mkdtemp(path.join(await realpath(tmpdir()), "bedplate-revision-"));
  try {
    await unpack(top.stdout, commit, folder, revision);
    const within = path.relative(await realpath(top.stdout), target);
    const old = path.join(folder, "tree", within);
    const short = commit.slice(0, 12);
    if (!existsSync(old)) return { commit: short, environment: undefined };
    return { commit: short, environment: await readEnvironmentAnew(old, `${short}:${within}`) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
