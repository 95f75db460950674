/** Labels of one sample; the fewer and the fewer values, the cheaper for who stores it. */
export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

/** One metric with its samples. Names carry their unit, counters end in _total, as OpenMetrics has it. */
export interface MetricFamily {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** A metric without labels; no samples where the host does not have it, or says something that is no number. */
export function single(
  name: string,
  type: MetricFamily["type"],
  help: string,
  value: number | undefined,
): MetricFamily {
  return { name, type, help, samples: value === undefined || Number.isNaN(value) ? [] : [{ value }] };
}

/**
 * Metrics in Prometheus' text format, which node_exporter's textfile collector reads. A metric without samples is left
 * out: what a host does not have is absent and never 0.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
export function renderMetrics(families: readonly MetricFamily[]): string {
  return families
    .filter((family) => family.samples.length > 0)
    .map(({ name, type, help, samples }) =>
      [
        `# HELP ${name} ${escapeHelp(help)}`,
        `# TYPE ${name} ${type}`,
        ...samples.map(({ labels = {}, value }) => `${name}${renderLabels(labels)} ${renderValue(value)}`),
      ].join("\n"),
    )
    .map((block) => `${block}\n`)
    .join("");
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** A label's value is any UTF-8; a lone surrogate is none and becomes U+FFFD. */
function escapeLabel(value: string): string {
  return value
    .toWellFormed()
    .replaceAll("\\", String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll("\n", String.raw`\n`);
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", String.raw`\\`).replaceAll("\n", String.raw`\n`);
}

function renderValue(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}
