import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { InputError } from "../../host-tuning/errors.ts";
import { errnoText } from "../../host-tuning/sys/errno.ts";

/** A file of a folder that is written as a whole. */
export interface MailFile {
  readonly name: string;
  readonly content: Buffer;
}

/** What a team's files are called: its name where that is plain, and a digest with it where it is not or is taken. */
export function fileStem(month: string, team: string, taken: ReadonlySet<string>): string {
  const plain = team
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 60);
  const stem = `${month}-${plain}`;
  if (plain !== "" && plain === team.toLowerCase() && !taken.has(stem)) return stem;
  const digest = createHash("sha256").update(team).digest("hex").slice(0, 8);
  return plain === "" ? `${month}-${digest}` : `${stem}-${digest}`;
}

/**
 * Writes a new folder with all files or none: a folder that is not empty may hold mails of another run, and those would
 * be sent too.
 *
 * @returns the digest of each file as it was read back
 * @throws {InputError} when the folder is not empty or cannot be written; nothing is left behind then
 */
export async function writeMails(folder: string, files: readonly MailFile[]): Promise<readonly string[]> {
  const target = path.resolve(folder);
  const temporary = path.join(path.dirname(target), `.${path.basename(target)}.${randomUUID()}.tmp`);
  try {
    await mkdir(temporary, { recursive: true, mode: 0o700 });
    for (const { name, content } of files)
      await writeFile(path.join(temporary, name), content, { flag: "wx" });
    await rename(temporary, target);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true });
    const isTaken = cause instanceof Error && "code" in cause && cause.code === "ENOTEMPTY";
    const message = isTaken
      ? `${folder} is not empty: its mails would be sent with these; name a new folder`
      : `Cannot write ${folder}: ${errnoText(cause)}`;
    throw new InputError("command line", [{ path: "--folder", message }], { cause });
  }
  return await Promise.all(
    files.map(async ({ name }) =>
      createHash("sha256")
        .update(await readFile(path.join(target, name)))
        .digest("hex"),
    ),
  );
}
