import { cloudFacts } from "../facts/cloud.ts";
import { readDmi } from "../facts/dmi.ts";
import { FactReader } from "../facts/fact-reader.ts";
import type { LiveHost } from "../sys/live-host.ts";
import type { MetricFamily } from "./metric-family.ts";

/**
 * What a bill calls this host, so that what is charged for it can be put beside what else is measured of it: a host that
 * is no Kubernetes node is named nowhere else. No sample where the firmware does not say.
 */
export async function readHostInfo(host: LiveHost): Promise<MetricFamily[]> {
  const { provider, instanceId, instanceType } = cloudFacts(await readDmi(new FactReader(host)), undefined);
  return [
    {
      name: "bedplate_host_info",
      type: "gauge",
      help: "The host as its provider's bill names it; always 1.",
      samples:
        instanceId === undefined
          ? []
          : [
              {
                labels: { provider, instance_id: instanceId, instance_type: instanceType ?? "" },
                value: 1,
              },
            ],
    },
  ];
}
