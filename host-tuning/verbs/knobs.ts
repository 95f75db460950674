import { type ExitCode, EXIT_CODE } from "../exit-code.ts";
import { KNOBS } from "../knobs/index.ts";
import { plural, renderTable } from "../report/table.ts";
import { describeKnob } from "./describe-knob.ts";
import { writeJson } from "./verb-frame.ts";

const COLUMNS = [
  { title: "knob", maxColumns: 34 },
  { title: "family", maxColumns: 8 },
  { title: "unit", maxColumns: 12 },
  { title: "phase", maxColumns: 5 },
  { title: "what", maxColumns: 100 },
] as const;

/** Lists the registry. */
export async function knobs(options: { readonly json?: boolean }): Promise<ExitCode> {
  if (options.json === true) {
    writeJson(KNOBS.map((knob) => describeKnob(knob)));
  } else {
    const rows = KNOBS.map((knob) => ({
      cells: [knob.id, knob.family, knob.unit, knob.phase, knob.title],
    }));
    process.stdout.write(`${renderTable(COLUMNS, rows)}\n\n${plural(KNOBS.length, "knob")}\n`);
  }
  return await Promise.resolve(EXIT_CODE.asWanted);
}
