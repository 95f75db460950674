import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { CsvError, parse as parseCsv } from "csv-parse/sync";
import { type Fault, InputError, messageOf } from "../../host-tuning/errors.ts";
import { increasesOf, parsePrometheusAnswer, type SampleSeries } from "../prometheus-answer.ts";
import {
  BYTES_PER_GIB,
  HOUR_SECONDS,
  type KubernetesUsage,
  type PodHour,
  type PodSeconds,
  SHARED_RESOURCES,
  type SharedResource,
  UsageCollector,
} from "./kubernetes-usage.ts";

/** A series and the time between its answer's samples. */
interface TimedSeries extends SampleSeries {
  readonly stepSeconds: number;
}

/** Metrics of kube-state-metrics and of the kubelet's cAdvisor that are read. */
const METRICS: ReadonlySet<string> = new Set([
  "kube_node_info",
  "kube_node_status_capacity",
  "kube_pod_info",
  "kube_pod_labels",
  "kube_pod_container_resource_requests",
  "container_cpu_usage_seconds_total",
  "container_memory_working_set_bytes",
  "container_network_receive_bytes_total",
  "container_network_transmit_bytes_total",
  "kube_pod_spec_volumes_persistentvolumeclaims_info",
  "kube_persistentvolumeclaim_info",
  "kube_persistentvolume_info",
]);

const RESOURCES: Readonly<Record<string, { readonly resource: SharedResource; readonly unit: number }>> = {
  cpu: { resource: "cpu", unit: 1 },
  memory: { resource: "memory", unit: BYTES_PER_GIB },
  nvidia_com_gpu: { resource: "gpu", unit: 1 },
  amd_com_gpu: { resource: "gpu", unit: 1 },
};

function hourOf(seconds: number): number {
  return Math.floor(seconds / HOUR_SECONDS) * HOUR_SECONDS;
}

function podOf({ namespace = "", pod = "" }: SampleSeries["labels"]): string | undefined {
  return pod === "" ? undefined : `${namespace}/${pod}`;
}

/** The last part of an id in the provider's own form: `aws:///us-east-1a/i-0abc` is `i-0abc`. */
function lastPart(id: string): string {
  return id.split("/").at(-1) ?? id;
}

/** `label_team` of kube-state-metrics is the label `team`. */
function podLabels(labels: SampleSeries["labels"]): PodHour["labels"] {
  return Object.fromEntries(
    Object.entries(labels).flatMap(([name, value]) =>
      name.startsWith("label_") ? [[name.slice(6), value]] : [],
    ),
  );
}

/** Puts the series of all answers together; pods, nodes and volumes are known only when every file is read. */
class Cluster {
  readonly #byName: ReadonlyMap<string, readonly TimedSeries[]>;
  readonly #collector = new UsageCollector();
  readonly #items: ReadonlyMap<string, string>;
  readonly #nodeOfPod = new Map<string, string>();
  readonly #labelsOfPod = new Map<string, PodHour["labels"]>();
  readonly #homeless = new Set<string>();

  constructor(series: readonly TimedSeries[]) {
    this.#byName = Map.groupBy(series, ({ name }) => name);
    this.#items = new Map(
      this.#of("kube_node_info").map(({ labels: { node = "", provider_id: id = "" } }) => [
        node,
        id === "" ? node : lastPart(id),
      ]),
    );
    for (const { labels } of [
      ...this.#of("kube_pod_info"),
      ...this.#of("kube_pod_container_resource_requests"),
    ]) {
      const pod = podOf(labels);
      if (pod !== undefined && labels["node"] !== undefined && labels["node"] !== "") {
        this.#nodeOfPod.set(pod, labels["node"]);
      }
    }
    for (const { labels } of this.#of("kube_pod_labels")) {
      const pod = podOf(labels);
      if (pod !== undefined) this.#labelsOfPod.set(pod, podLabels(labels));
    }
  }

  #of(name: string): readonly TimedSeries[] {
    return this.#byName.get(name) ?? [];
  }

  #addPod(
    series: TimedSeries,
    resource: SharedResource,
    atSeconds: number,
    amount: Pick<PodSeconds, "requestSeconds" | "usageSeconds">,
    volume?: string,
  ): void {
    const pod = podOf(series.labels);
    if (pod === undefined) return;
    const node = this.#nodeOfPod.get(pod) ?? series.labels["node"];
    const item = volume ?? (node === undefined ? undefined : (this.#items.get(node) ?? node));
    if (item === undefined) {
      this.#homeless.add(pod);
      return;
    }
    const labels = this.#labelsOfPod.get(pod) ?? {};
    this.#collector.addPod(item, resource, hourOf(atSeconds), { pod, labels, ...amount });
  }

  /** A gauge's sample stands for the step up to the next one. */
  #gauges(name: string, add: (series: TimedSeries, atSeconds: number, valueSeconds: number) => void): void {
    for (const series of this.#of(name)) {
      for (const { atSeconds, value } of series.samples) {
        add(series, atSeconds, value * series.stepSeconds);
      }
    }
  }

  /** A counter's growth belongs to the time before its sample. */
  #counters(name: string, add: (series: TimedSeries, atSeconds: number, growth: number) => void): void {
    for (const series of this.#of(name)) {
      for (const { atSeconds, value } of increasesOf(series.samples)) add(series, atSeconds - 1, value);
    }
  }

  read(): KubernetesUsage {
    this.#gauges("kube_node_status_capacity", ({ labels }, atSeconds, valueSeconds) => {
      const known = RESOURCES[labels["resource"] ?? ""];
      const { node = "" } = labels;
      if (known === undefined) return;
      const item = this.#items.get(node) ?? node;
      this.#collector.addCapacity(item, known.resource, hourOf(atSeconds), valueSeconds / known.unit);
    });
    this.#gauges("kube_pod_container_resource_requests", (series, atSeconds, valueSeconds) => {
      const known = RESOURCES[series.labels["resource"] ?? ""];
      if (known !== undefined)
        this.#addPod(series, known.resource, atSeconds, { requestSeconds: valueSeconds / known.unit });
    });
    this.#gauges("container_memory_working_set_bytes", (series, atSeconds, valueSeconds) => {
      if (isContainer(series))
        this.#addPod(series, "memory", atSeconds, { usageSeconds: valueSeconds / BYTES_PER_GIB });
    });
    this.#counters("container_cpu_usage_seconds_total", (series, atSeconds, growth) => {
      if (isContainer(series)) this.#addPod(series, "cpu", atSeconds, { usageSeconds: growth });
    });
    for (const name of ["container_network_receive_bytes_total", "container_network_transmit_bytes_total"]) {
      this.#counters(name, (series, atSeconds, growth) => {
        this.#addPod(series, "network", atSeconds, { usageSeconds: growth * HOUR_SECONDS });
      });
    }
    this.#readVolumes();
    const count = this.#homeless.size;
    const notes =
      count === 0
        ? []
        : [`${count} ${count === 1 ? "pod is" : "pods are"} on no known node (kube_pod_info) and left out`];
    return { items: this.#collector.items(), notes };
  }

  /** Pod to claim, claim to volume, volume to the provider's id. */
  #readVolumes(): void {
    const handles = new Map(
      this.#of("kube_persistentvolume_info").map(({ labels }) => [
        labels["persistentvolume"] ?? "",
        lastPart(labels["csi_volume_handle"] ?? labels["ebs_volume_id"] ?? ""),
      ]),
    );
    const claimKey = ({ namespace = "", persistentvolumeclaim = "" }: SampleSeries["labels"]): string =>
      JSON.stringify([namespace, persistentvolumeclaim]);
    const volumes = new Map(
      this.#of("kube_persistentvolumeclaim_info").map(({ labels }) => [
        claimKey(labels),
        handles.get(labels["volumename"] ?? ""),
      ]),
    );
    this.#gauges("kube_pod_spec_volumes_persistentvolumeclaims_info", (series, atSeconds, valueSeconds) => {
      const volume = volumes.get(claimKey(series.labels));
      if (volume !== undefined && volume !== "" && valueSeconds > 0) {
        this.#addPod(series, "storage", atSeconds, { requestSeconds: valueSeconds }, volume);
      }
    });
  }
}

/** cAdvisor has series for the pod as a whole, its pause container and single CPUs beside those of its containers. */
function isContainer({ labels }: SampleSeries): boolean {
  const { container = "", cpu = "total" } = labels;
  return container !== "" && container !== "POD" && cpu === "total";
}

const CSV_COLUMNS = [
  "hour",
  "resource_id",
  "resource",
  "capacity",
  "namespace",
  "pod",
  "request",
  "usage",
] as const;
const QUANTITY = /^\d{1,18}(\.\d{1,18})?$/;

/** Rows of a CSV file by its header; csv-parse reports malformed lines. */
function csvRows(text: string, source: string): readonly Readonly<Record<string, string>>[] {
  try {
    return parseCsv(text, { columns: true, bom: true, skip_empty_lines: true, relax_column_count: false });
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw new InputError(source, [{ path: "", message: cause.message }], { cause });
  }
}

function csvFaults(row: Readonly<Record<string, string>>, line: number): Fault[] {
  const faults: Fault[] = [];
  const add = (column: string, message: string): void => {
    faults.push({ path: `line ${line} ${column}`, message });
  };
  if (
    !/^\d{4}-\d{2}-\d{2}T\d{2}:00:00Z$/.test(row["hour"] ?? "") ||
    Number.isNaN(Date.parse(row["hour"] ?? ""))
  ) {
    add("hour", `"${row["hour"] ?? ""}" is no full hour in UTC as in 2026-07-01T13:00:00Z`);
  }
  if ((row["resource_id"] ?? "") === "") add("resource_id", "is empty");
  if (!SHARED_RESOURCES.some((resource) => resource === row["resource"])) {
    add("resource", `"${row["resource"] ?? ""}" is none of ${SHARED_RESOURCES.join(", ")}`);
  }
  const amounts = (row["pod"] ?? "") === "" ? (["capacity"] as const) : (["request", "usage"] as const);
  for (const column of amounts) {
    if (!QUANTITY.test(row[column] ?? "")) add(column, `"${row[column] ?? ""}" is no decimal number`);
  }
  return faults;
}

/** One row is what a node or volume has in an hour, or what a pod of it asked for and used; `label_*` are its labels. */
function addCsv(text: string, source: string, collector: UsageCollector): void {
  const rows = csvRows(text, source);
  const [first] = rows;
  if (first === undefined) throw new InputError(source, [{ path: "", message: "has no rows" }]);
  const missing = CSV_COLUMNS.filter((column) => !Object.hasOwn(first, column));
  const faults: Fault[] = missing.map((path) => ({ path, message: "the column is missing" }));
  if (missing.length === 0)
    faults.push(...rows.flatMap((row, index) => csvFaults(row, index + 2)).slice(0, 50));
  if (faults.length > 0) throw new InputError(source, faults);
  for (const row of rows) {
    const hourSeconds = Date.parse(row["hour"] ?? "") / 1000;
    const item = row["resource_id"] ?? "";
    const resource = row["resource"] as SharedResource;
    if ((row["pod"] ?? "") === "") {
      collector.addCapacity(item, resource, hourSeconds, Number(row["capacity"]) * HOUR_SECONDS);
      continue;
    }
    collector.addPod(item, resource, hourSeconds, {
      pod: `${row["namespace"] ?? ""}/${row["pod"] ?? ""}`,
      labels: podLabels(row),
      requestSeconds: Number(row["request"]) * HOUR_SECONDS,
      usageSeconds: Number(row["usage"]) * HOUR_SECONDS,
    });
  }
}

/** The files of `paths`, those of a folder by name. */
async function filesOf(paths: readonly string[]): Promise<readonly string[]> {
  const files: string[] = [];
  for (const given of paths) {
    const isFolder = (
      await stat(given).catch((cause: unknown) => {
        const message = `Cannot read ${given}: ${messageOf(cause)}`;
        throw new InputError("command line", [{ path: "--kubernetes", message }], { cause });
      })
    ).isDirectory();
    if (!isFolder) files.push(given);
    else {
      const names = (await readdir(given)).filter((name) => /\.(json|csv)$/i.test(name)).toSorted();
      files.push(...names.map((name) => path.join(given, name)));
    }
  }
  if (files.length === 0) {
    throw new InputError("command line", [
      { path: "--kubernetes", message: "no .json or .csv file is there" },
    ]);
  }
  return files;
}

/**
 * Reads what pods used and asked for: CSV of this program's columns, and answers of Prometheus' query_range API to the
 * metrics of kube-state-metrics and cAdvisor under their own names.
 *
 * @throws {InputError} with every fault of the first file that has any
 */
export async function readKubernetesUsage(paths: readonly string[]): Promise<KubernetesUsage> {
  const series: TimedSeries[] = [];
  const collector = new UsageCollector();
  for (const file of await filesOf(paths)) {
    const text = await readFile(file, "utf8");
    if (file.toLowerCase().endsWith(".csv")) addCsv(text, file, collector);
    else {
      const answer = parsePrometheusAnswer(text, file);
      const known = answer.series.filter(({ name }) => METRICS.has(name));
      series.push(...known.map((one) => ({ ...one, stepSeconds: answer.stepSeconds })));
    }
  }
  const fromPrometheus = new Cluster(series).read();
  const items = new Map([...collector.items(), ...fromPrometheus.items]);
  const hasPods = [...items.values()].some((hours) => hours.some(({ pods }) => pods.length > 0));
  if (!hasPods) {
    const message = `no pods on any node: are ${[...METRICS].slice(1, 5).join(", ")} in the files?`;
    throw new InputError("command line", [{ path: "--kubernetes", message }]);
  }
  return { items, notes: fromPrometheus.notes };
}
