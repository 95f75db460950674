import * as z from "zod";
import { InputError, messageOf } from "../../host-tuning/errors.ts";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { formatDecimal, parseDecimal } from "../money/exact-decimal.ts";

const priceItemSchema = z.object({
  publicationDate: z.iso.datetime(),
  product: z.object({ attributes: z.object({ instanceType: z.string(), regionCode: z.string() }) }),
  terms: z.object({
    OnDemand: z
      .record(
        z.string(),
        z.object({
          priceDimensions: z.record(
            z.string(),
            z.object({
              unit: z.literal("Hrs"),
              pricePerUnit: z.record(
                z.string().regex(/^[A-Z]{3}$/, "a currency code as in USD"),
                z.string().regex(/^\d{1,9}(?:\.\d{1,12})?$/, 'a decimal amount as in "0.0960000000"'),
              ),
            }),
          ),
        }),
      )
      .optional(),
  }),
});

/** The on-demand price of one instance type in one region. */
export interface ListedPrice {
  readonly instanceType: string;
  readonly region: string;
  /** The day that AWS published it. */
  readonly asOf: string;
  /** Decimal text per hour; undefined where the list has none, or 0, which is no price of an instance. */
  readonly price: { readonly amount: string; readonly currency: string } | undefined;
}

/** At least six digits after the point, as the catalogue has them, and no further zeros. */
function tidied(amount: string): string {
  return formatDecimal(parseDecimal(amount.replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "")), 6);
}

/**
 * One product of the AWS Price List, as GetProducts gives it: JSON in a string.
 *
 * @throws {InputError} when it is none, or has more than one price
 */
export function parsePriceItem(text: string, source: string): ListedPrice {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    const message = `Cannot read as JSON: ${messageOf(cause)}`;
    throw new InputError(source, [{ path: "", message }], { cause });
  }
  const { publicationDate, product, terms } = parseContract(priceItemSchema, data, source);
  const { instanceType, regionCode: region } = product.attributes;
  const prices = Object.values(terms.OnDemand ?? {})
    .flatMap((term) => Object.values(term.priceDimensions))
    .flatMap((dimension) => Object.entries(dimension.pricePerUnit))
    .map(([currency, amount]) => ({ currency, amount: tidied(amount) }))
    .filter(({ amount }) => /[1-9]/.test(amount));
  if (prices.length > 1) {
    const all = prices.map(({ currency, amount }) => `${amount} ${currency}`).join(", ");
    throw new InputError(source, [
      { path: "terms.OnDemand", message: `${instanceType} has several prices an hour: ${all}` },
    ]);
  }
  return { instanceType, region, asOf: publicationDate.slice(0, 10), price: prices[0] };
}
