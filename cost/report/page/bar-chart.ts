import { BarChart } from "echarts/charts";
import { GridComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { html, Html, NOTHING } from "./html.ts";

use([BarChart, GridComponent, SVGRenderer]);

/** Colours of page.css; a series beyond them gets the last, which stands for "all others". */
const SERIES_COLOURS = [
  "var(--s1)",
  "var(--s2)",
  "var(--s3)",
  "var(--s4)",
  "var(--s5)",
  "var(--s6)",
  "var(--s7)",
];

const WIDTH_PX = 860;
const LABEL_WIDTH_PX = 230;

const INK = { color: "var(--ink)", fontSize: 13, fontFamily: "sans-serif" };
const RULE = { lineStyle: { color: "var(--rule)" } };

export interface Series {
  readonly name: string;
  readonly values: readonly number[];
}

export interface BarChartArgs {
  /** What the chart says in a sentence, for those who do not see it. */
  readonly label: string;
  readonly categories: readonly string[];
  readonly series: readonly Series[];
  /** `rows`: a bar per category, lying, its value beside it; `columns`: standing, the series on one another. */
  readonly direction: "rows" | "columns";
  readonly currency: string;
}

function shorten(text: string): string {
  const clean = text.replaceAll(/[\p{Cc}\p{Cf}]/gu, "\u{FFFD}");
  return clean.length > 28 ? `${clean.slice(0, 27)}\u2026` : clean;
}

function optionOf(args: BarChartArgs) {
  const isRows = args.direction === "rows";
  const category = {
    type: "category" as const,
    data: args.categories.map(shorten),
    inverse: isRows,
    axisLabel: INK,
    axisLine: RULE,
    axisTick: { show: false },
  };
  const value = {
    type: "value" as const,
    axisLabel: { ...INK, formatter: (amount: number) => amount.toLocaleString("en-US") },
    splitLine: RULE,
    splitNumber: 4,
  };
  return {
    animation: false,
    silent: true,
    color: SERIES_COLOURS,
    // Widths of text are only guessed without a screen, so labels get room of their own.
    grid: { left: isRows ? LABEL_WIDTH_PX : 64, right: 72, top: isRows ? 4 : 12, bottom: 28 },
    xAxis: isRows ? value : category,
    yAxis: isRows ? category : value,
    series: args.series.map(({ name, values }) => ({
      type: "bar" as const,
      name: shorten(name),
      data: [...values],
      barMaxWidth: isRows ? 20 : 72,
      emphasis: { disabled: true },
      ...(isRows
        ? {
            label: {
              show: true,
              position: "right" as const,
              // Rules of the axis would run through it.
              backgroundColor: "var(--paper)",
              ...INK,
              formatter: ({ value: amount }: { value: unknown }) =>
                Number(amount).toLocaleString("en-US", {
                  minimumFractionDigits: 2,
                  maximumFractionDigits: 2,
                }),
            },
          }
        : { stack: "total" }),
    })),
  };
}

/** Which colour is which series; the picture itself names them nowhere. */
function legend(series: readonly Series[]): Html {
  const items = series.map(
    ({ name }, index) => html`<li class="s${Math.min(index, SERIES_COLOURS.length - 1) + 1}">${name}</li>`,
  );
  return html`<ul class="legend">
    ${items}
  </ul>`;
}

/** A bar chart as an SVG picture that follows the page's colours. Its numbers are pictures: a table has the exact ones. */
export function renderBarChart(args: BarChartArgs): Html {
  const height = args.direction === "rows" ? 36 + 30 * args.categories.length : 320;
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH_PX, height });
  try {
    chart.setOption(optionOf(args));
    const svg = chart
      .renderToSVGString({ useViewBox: true })
      // Its marks for a script that this page does not have, and colours of its own for what has no option.
      .replaceAll(/ (?:ecmeta_\w+|class|pointer-events)="[^"]*"/g, "")
      .replaceAll(/<style[^>]*>[^]*?<\/style>/g, "")
      .replace("<svg ", '<svg role="img" aria-label="Chart" ');
    const key = args.direction === "columns" ? legend(args.series) : NOTHING;
    return html`${key}
      <div class="chart" tabindex="0" role="region" aria-label="${args.label}">${new Html(svg)}</div>`;
  } finally {
    chart.dispose();
  }
}
