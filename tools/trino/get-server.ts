import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";

/** The last Trino release that runs on Java 17. */
export const TRINO_VERSION = "435";

/** `lib/` has the server, `plugin/hive/` the connector that reads Parquet, `classes/` what starts it. */
export const TRINO_FOLDER = path.resolve(import.meta.dirname, `../../.bedplate/cache/trino/${TRINO_VERSION}`);

/** 360 MB from Maven Central; a download that has not ended by then will not. */
const LIMIT_MILLIS = 1_500_000;

const DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1";

async function maven(...goals: string[]): Promise<void> {
  await execa("mvn", ["-B", "-q", ...goals], { timeout: LIMIT_MILLIS });
}

/**
 * Puts Trino together from its libraries and its Hive plugin, as they are on Maven Central. Needs Maven and a JDK of
 * version 17 or newer.
 */
export async function getTrino(): Promise<void> {
  if (existsSync(TRINO_FOLDER)) return;
  const folder = `${TRINO_FOLDER}.new`;
  await rm(folder, { recursive: true, force: true });
  await mkdir(path.join(folder, "plugin"), { recursive: true });
  await maven(
    "-f",
    path.join(import.meta.dirname, "server.pom.xml"),
    `${DEPENDENCY_PLUGIN}:copy-dependencies`,
    "-DincludeScope=runtime",
    `-DoutputDirectory=${path.join(folder, "lib")}`,
  );
  const plugin = `io.trino:trino-hive:${TRINO_VERSION}:zip`;
  await maven(`${DEPENDENCY_PLUGIN}:get`, `-Dartifact=${plugin}`, "-Dtransitive=false");
  await maven(`${DEPENDENCY_PLUGIN}:copy`, `-Dartifact=${plugin}`, `-DoutputDirectory=${folder}`);
  await execa("jar", ["xf", path.join(folder, `trino-hive-${TRINO_VERSION}.zip`)], {
    cwd: path.join(folder, "plugin"),
  });
  await rm(path.join(folder, `trino-hive-${TRINO_VERSION}.zip`));
  await execa("javac", [
    "-cp",
    path.join(folder, "lib", "*"),
    "-d",
    path.join(folder, "classes"),
    path.join(import.meta.dirname, "StartTrino.java"),
  ]);
  await rename(folder, TRINO_FOLDER);
}

if (import.meta.main) await getTrino();
