import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { LocalWorkspace, PulumiCommand } from "@pulumi/pulumi/automation/index.js";
import { expect, test, vi } from "vitest";
import { parse, stringify } from "yaml";
import { environmentNames } from "../../components/environment/load-environment.ts";
import { describeWith } from "../helpers/needs.ts";
import { PULUMI, pulumiCli } from "../helpers/pulumi-cli.ts";

const REPOSITORY = path.resolve(import.meta.dirname, "../..");

vi.setConfig({ testTimeout: 300_000 });

/** The engine checks the project file and a stack's settings against it before it runs a program. */
describeWith([PULUMI], "Pulumi.yaml and the settings of every stack", () => {
  test.each(environmentNames())("are what the engine takes: %s", async (name) => {
    const folder = mkdtempSync(path.join(tmpdir(), "bedplate-project-"));
    try {
      const project = parse(readFileSync(path.join(REPOSITORY, "Pulumi.yaml"), "utf8")) as {
        plugins: { providers: { path: string }[] };
      };
      for (const provider of project.plugins.providers) provider.path = path.join(REPOSITORY, provider.path);
      writeFileSync(path.join(folder, "Pulumi.yaml"), stringify({ ...project, main: undefined }));
      cpSync(path.join(REPOSITORY, `Pulumi.${name}.yaml`), path.join(folder, `Pulumi.${name}.yaml`));
      const { root } = pulumiCli();
      const stack = await LocalWorkspace.createOrSelectStack(
        { stackName: name, projectName: "bedplate", program: () => Promise.resolve({ answered: true }) },
        {
          workDir: folder,
          pulumiHome: path.join(folder, "home"),
          pulumiCommand: await PulumiCommand.get(root === undefined ? undefined : { root }),
          envVars: {
            PULUMI_BACKEND_URL: `file://${folder}`,
            PULUMI_CONFIG_PASSPHRASE: "",
            PULUMI_SKIP_UPDATE_CHECK: "true",
            PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
          },
        },
      );
      const { changeSummary } = await stack.preview({ suppressProgress: true });
      expect(changeSummary).toEqual({ create: 1 });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
