import { InputError } from "../errors.ts";
import { parseYamlText } from "../profile/parse-contract.ts";
import type { FactReader } from "./fact-reader.ts";
import { fieldOf } from "./field-of.ts";
import type { OwnershipFacts } from "./host-facts.ts";

/** Where the kubelet keeps the files of its pods, by pod. */
const PODS = "/var/lib/kubelet/pods";

/** A host that runs kube-proxy by itself has its configuration here. */
const HOST_CONFIG = "/var/lib/kube-proxy/config.conf";

/** What kube-proxy does unless it is told otherwise. @see https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/ */
const DEFAULT_MAX_PER_CORE = 32_768;
const DEFAULT_MIN = 131_072;

interface Conntrack {
  readonly source: string;
  readonly maxPerCore: number;
  readonly min: number;
}

/**
 * kube-proxy sets the connection tracking table when it starts: the larger of `conntrack.min` and `conntrack.maxPerCore`
 * times the CPUs, and a hash table to go with it. 0 per core makes it leave the table alone.
 */
export async function readKubeProxy(reader: FactReader): Promise<OwnershipFacts[]> {
  const conntrack = (await readHostConfig(reader)) ?? (await readPodConfig(reader));
  if (conntrack === undefined || conntrack.maxPerCore === 0) return [];
  const { source, maxPerCore, min } = conntrack;
  // The number of its CPUs is kube-proxy's own (runtime.NumCPU), so the value is only known to be at least this.
  const said = `${source} (${maxPerCore} per CPU, at least ${min})`;
  return ["net.netfilter.nf_conntrack_max", "net.netfilter.nf_conntrack_buckets"].map((key) => ({
    owner: "kube-proxy",
    key,
    source: said,
    value: null,
    hold: "start",
  }));
}

async function readHostConfig(reader: FactReader): Promise<Conntrack | undefined> {
  return conntrackOf(reader, HOST_CONFIG, await reader.text(HOST_CONFIG));
}

/** The ConfigMap of kube-proxy's pod, which the kubelet has put on the disk. Readable by root alone. */
async function readPodConfig(reader: FactReader): Promise<Conntrack | undefined> {
  for (const pod of await reader.entries(PODS)) {
    const volumes = `${PODS}/${pod}/volumes/kubernetes.io~configmap`;
    for (const volume of await reader.entries(volumes)) {
      if (volume !== "config" && !volume.startsWith("kube-proxy")) continue;
      for (const name of ["config.conf", "config"]) {
        const path = `${volumes}/${volume}/${name}`;
        const found = conntrackOf(reader, path, await reader.text(path));
        if (found !== undefined) return found;
      }
    }
  }
  return undefined;
}

function conntrackOf(reader: FactReader, source: string, text: string | undefined): Conntrack | undefined {
  if (text?.includes("KubeProxyConfiguration") !== true) return undefined;
  let config: unknown;
  try {
    config = parseYamlText(text, source);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    reader.note(source, "Not a kube-proxy configuration");
    return undefined;
  }
  const conntrack = fieldOf(config, "conntrack");
  return {
    source,
    maxPerCore: numberOf(fieldOf(conntrack, "maxPerCore"), DEFAULT_MAX_PER_CORE),
    min: numberOf(fieldOf(conntrack, "min"), DEFAULT_MIN),
  };
}

function numberOf(value: unknown, otherwise: number): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : otherwise;
}
