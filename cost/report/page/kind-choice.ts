import type { CurrencyReport } from "../cost-report.ts";
import { html, Html } from "./html.ts";
import type { CostKind } from "./owner-months.ts";

/** "Effective cost", "Billed cost", "List cost": how a caption begins. */
export function kindName({ key }: CostKind): string {
  return `${key.slice(0, 1).toUpperCase()}${key.slice(1)} cost`;
}

/** Shown while its cost is the chosen one; everything is where a browser cannot choose. */
export function ofKind({ key }: CostKind, content: Html): Html {
  return html`<div class="of-${key}">${content}</div>`;
}

/** Which cost charts, months and movers are of. Needs no script: page.css shows what is checked. */
export function kindChoice({ currency }: CurrencyReport, kinds: readonly CostKind[]): Html {
  const options = kinds.map(({ key, label }, index) => {
    const checked = new Html(index === 0 ? " checked" : "");
    return html`<label
      ><input type="radio" name="cost-${currency}" value="${key}" ${checked} /> ${label}</label
    >`;
  });
  return html`<fieldset class="kinds">
    <legend>Cost that charts, days, months and movers show</legend>
    ${options}
  </fieldset>`;
}
