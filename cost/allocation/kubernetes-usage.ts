/** What pods share of a node or a volume. Network and storage are never idle. */
export const SHARED_RESOURCES = ["cpu", "memory", "gpu", "network", "storage"] as const;
export type SharedResource = (typeof SHARED_RESOURCES)[number];

/** A pod's part of a resource in one hour, its average over the hour: cores, GiB, devices, bytes or volumes. */
export interface PodHour {
  /** `namespace/pod`. */
  readonly pod: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly request: number;
  readonly usage: number;
}

/** A resource of a node or volume in one hour. */
export interface ResourceHour {
  readonly resource: SharedResource;
  /** Start of the hour, seconds since 1970. */
  readonly hourSeconds: number;
  /** Its average over the hour; 0 where the node was not there. */
  readonly capacity: number;
  readonly pods: readonly PodHour[];
}

/** Use of nodes and volumes by pods. */
export interface KubernetesUsage {
  /** By the last part of the resource id in the bill: `i-0abc`, `vol-0abc`. */
  readonly items: ReadonlyMap<string, readonly ResourceHour[]>;
  readonly notes: readonly string[];
}

export const HOUR_SECONDS = 3600;
export const BYTES_PER_GIB = 2 ** 30;

/** What a pod asked for and used within an hour, over time. */
export interface PodSeconds extends Pick<PodHour, "pod" | "labels"> {
  readonly requestSeconds?: number;
  readonly usageSeconds?: number;
}

/**
 * Collects hours in any order, adding what belongs together. Amounts are given over time (core-seconds, GiB-seconds): whole
 * numbers stay whole that way until the average is taken.
 */
export class UsageCollector {
  readonly #capacities = new Map<string, number>();
  readonly #pods = new Map<
    string,
    Map<string, { labels: PodHour["labels"]; request: number; usage: number }>
  >();

  static #key(item: string, resource: SharedResource, hourSeconds: number): string {
    return JSON.stringify([item, resource, hourSeconds]);
  }

  addCapacity(item: string, resource: SharedResource, hourSeconds: number, capacitySeconds: number): void {
    const key = UsageCollector.#key(item, resource, hourSeconds);
    this.#capacities.set(key, (this.#capacities.get(key) ?? 0) + capacitySeconds);
  }

  addPod(
    item: string,
    resource: SharedResource,
    hourSeconds: number,
    { pod, labels, requestSeconds = 0, usageSeconds = 0 }: PodSeconds,
  ): void {
    const key = UsageCollector.#key(item, resource, hourSeconds);
    const pods =
      this.#pods.get(key) ?? new Map<string, { labels: PodHour["labels"]; request: number; usage: number }>();
    const before = pods.get(pod);
    pods.set(pod, {
      labels,
      request: (before?.request ?? 0) + requestSeconds,
      usage: (before?.usage ?? 0) + usageSeconds,
    });
    this.#pods.set(key, pods);
  }

  items(): ReadonlyMap<string, readonly ResourceHour[]> {
    const keys = [...new Set([...this.#capacities.keys(), ...this.#pods.keys()])].toSorted((a, b) =>
      a < b ? -1 : 1,
    );
    const hours = keys.map((key) => {
      const [item, resource, hourSeconds] = JSON.parse(key) as [string, SharedResource, number];
      const pods = [...(this.#pods.get(key) ?? [])]
        .map(([pod, { labels, request, usage }]) => ({
          pod,
          labels,
          request: request / HOUR_SECONDS,
          usage: usage / HOUR_SECONDS,
        }))
        .toSorted((a, b) => (a.pod < b.pod ? -1 : 1));
      return { item, resource, hourSeconds, capacity: (this.#capacities.get(key) ?? 0) / HOUR_SECONDS, pods };
    });
    return Map.groupBy(hours, ({ item }) => item);
  }
}
