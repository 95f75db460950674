import { type Tone, tint } from "./colour.ts";
import { PAGE_COLUMNS, wrap } from "./table.ts";

/** Under the first line of a note, whose words are coloured. */
const INDENT = "  ";

/** A note below a table, as lines that fit a page: what it is in colour, and what there is to say of it. */
export function renderNote(tone: Tone, what: string, said: string): string[] {
  const [first = "", ...rest] = wrap(`${what}: ${said}`, PAGE_COLUMNS - INDENT.length);
  return [
    tint(tone, first.slice(0, what.length)) + first.slice(what.length),
    ...rest.map((line) => INDENT + line),
  ];
}
