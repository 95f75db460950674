import { readContainerRuntimes } from "./container-runtimes.ts";
import { readEnabledLink } from "./enabled-units.ts";
import type { FactReader } from "./fact-reader.ts";
import type { OwnershipFacts } from "./host-facts.ts";
import { readKubernetesOwnership } from "./kubernetes-ownership.ts";
import { readOtherTuners } from "./other-tuners.ts";
import { canonicalSysctlKey, readSysctlSettings } from "./sysctl-d.ts";
import { readTunedOwnership } from "./tuned.ts";

/** Names of files that we write ourselves. */
const OWN_FILE = /bedplate/;

async function readSysctlOwnership(reader: FactReader): Promise<OwnershipFacts[]> {
  return (await readSysctlSettings(reader)).map(({ key, value, source }) => ({
    owner: OWN_FILE.test(source) ? "bedplate" : "sysctl.d",
    key,
    source,
    value,
    hold: "boot",
  }));
}

/**
 * irqbalance moves interrupts every ten seconds and so undoes a static affinity, unless it was told to leave them.
 *
 * @see https://github.com/Irqbalance/irqbalance
 */
async function readIrqbalanceOwnership(reader: FactReader): Promise<OwnershipFacts[]> {
  const [link, sockets] = await Promise.all([
    readEnabledLink(reader, "irqbalance.service"),
    reader.entries("/run/irqbalance"),
  ]);
  const source = link ?? (sockets.length > 0 ? "/run/irqbalance" : undefined);
  if (source === undefined) return [];
  return [{ owner: "irqbalance", key: "irq.affinity", source, value: null, hold: "always" }];
}

/**
 * `sysctl -w` in the cloud-init configuration of this instance (bootcmd, runcmd). cloud-init has no module for sysctls, so
 * a command is how its users set them.
 *
 * @see https://cloudinit.readthedocs.io/en/latest/explanation/instancedata.html
 */
export function parseSysctlCommands(text: string): { key: string; value: string }[] {
  return text
    .split("\n")
    .filter((line) => /\bsysctl\b/.test(line) && !line.trimStart().startsWith("#"))
    .flatMap((line) => [...line.matchAll(/([a-z][\w-]*(?:[./][\w*-]+)+)\s?=\s?([\w.:-]+)/g)])
    .flatMap(([, key, value]) =>
      key === undefined || value === undefined ? [] : [{ key: canonicalSysctlKey(key), value }],
    );
}

async function readCloudInitOwnership(reader: FactReader): Promise<OwnershipFacts[]> {
  const source = "/var/lib/cloud/instance/cloud-config.txt";
  return parseSysctlCommands((await reader.text(source)) ?? "").map(({ key, value }) => ({
    owner: "cloud-init",
    key,
    source,
    value,
    hold: "boot",
  }));
}

/** Who else sets knobs on this host, in a stable order: by what sets them, then as each lists them. */
export async function readOwnership(reader: FactReader): Promise<OwnershipFacts[]> {
  const tunedLink = readEnabledLink(reader, "tuned.service");
  const parts = await Promise.all([
    readSysctlOwnership(reader),
    tunedLink.then((link) => (link === undefined ? [] : readTunedOwnership(reader))),
    readIrqbalanceOwnership(reader),
    readKubernetesOwnership(reader),
    readCloudInitOwnership(reader),
    readContainerRuntimes(reader),
    readOtherTuners(reader),
  ]);
  return parts.flat();
}
