import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { InputError } from "../../host-tuning/errors.ts";
import { Environment, type EnvironmentOutputs } from "./environment.ts";
import { loadHostArchives } from "./host-archives.ts";
import { loadEnvironment, loadEnvironmentFile } from "./load-environment.ts";
import { readStackConfig } from "./stack-config.ts";

const REPOSITORY = path.resolve(import.meta.dirname, "../..");

/**
 * The running stack's environment, made. Everything is read and checked before the first resource is registered.
 *
 * @throws {pulumi.RunError} on bad input, with every fault and no stack trace
 */
export async function makeStack(): Promise<EnvironmentOutputs> {
  try {
    const config = readStackConfig();
    const spec =
      config.environmentFile === undefined
        ? await loadEnvironment(pulumi.getStack())
        : await loadEnvironmentFile(path.resolve(REPOSITORY, config.environmentFile));
    const manifest = config.archiveManifest;
    const archives = await loadHostArchives(
      spec.hostPools,
      manifest === undefined ? undefined : path.resolve(REPOSITORY, manifest),
    );
    return new Environment(spec.name, { spec, config, archives }).outputs;
  } catch (error) {
    if (error instanceof InputError) throw new pulumi.RunError(error.message);
    throw error;
  }
}
