import { EC2Client, paginateDescribeInstanceTypes } from "@aws-sdk/client-ec2";
import { paginateGetProducts, PricingClient } from "@aws-sdk/client-pricing";
import { type Fault, InputError, messageOf } from "../../host-tuning/errors.ts";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { type CatalogueRow, renderCatalogue } from "./catalogue.ts";
import { type ListedPrice, parsePriceItem } from "./price-list.ts";
import { type RefreshedType, refreshedTypeSchema, rowOfType } from "./refreshed-row.ts";

/** Where the Price List API answers, for every region: https://docs.aws.amazon.com/general/latest/gr/billing.html */
const PRICING_REGION = "us-east-1";

/** An instance of one's own on shared hardware, Linux without a licence, paid by the hour. */
const ON_DEMAND_LINUX = {
  operatingSystem: "Linux",
  tenancy: "Shared",
  preInstalledSw: "NA",
  capacitystatus: "Used",
  marketoption: "OnDemand",
} as const;

const LIMITS = { connectionTimeout: 10_000, requestTimeout: 60_000, throwOnRequestTimeout: true };

/** What both lists say of each entry, or all that is wrong with them. */
function parseEach<I, O>(
  items: readonly I[],
  name: (item: I, index: number) => string,
  parse: (item: I, source: string) => O,
  faults: Fault[],
): O[] {
  return items.flatMap((item, index) => {
    const at = name(item, index);
    try {
      return [parse(item, at)];
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      faults.push(
        ...error.faults.map((fault) => ({
          ...fault,
          path: [at, fault.path].filter((part) => part !== "").join("."),
        })),
      );
      return [];
    }
  });
}

async function readTypes(region: string, faults: Fault[]): Promise<RefreshedType[]> {
  const client = new EC2Client({ region, requestHandler: LIMITS });
  try {
    const types = [];
    for await (const { InstanceTypes } of paginateDescribeInstanceTypes({ client }, {}))
      types.push(...(InstanceTypes ?? []));
    return parseEach(
      types,
      (type, index) => type.InstanceType ?? `InstanceTypes[${index}]`,
      (type, source) => parseContract(refreshedTypeSchema, type, source),
      faults,
    );
  } finally {
    client.destroy();
  }
}

/**
 * GetProducts and not the public offer file: a region's file has every price of EC2 there, hundreds of MB, and the
 * filters leave one product for each type.
 */
async function readPrices(region: string, faults: Fault[]): Promise<ListedPrice[]> {
  const client = new PricingClient({ region: PRICING_REGION, requestHandler: LIMITS });
  try {
    const items: string[] = [];
    const Filters = Object.entries({ ...ON_DEMAND_LINUX, regionCode: region }).map(([Field, Value]) => ({
      Type: "TERM_MATCH" as const,
      Field,
      Value,
    }));
    for await (const { PriceList } of paginateGetProducts({ client }, { ServiceCode: "AmazonEC2", Filters }))
      items.push(...(PriceList ?? []).map(String));
    return parseEach(items, (_, index) => `PriceList[${index}]`, parsePriceItem, faults);
  } finally {
    client.destroy();
  }
}

/** One price for each type, in one currency, of the region that was asked for. */
function pricesByType(prices: readonly ListedPrice[], region: string, faults: Fault[]) {
  const byType = new Map<string, ListedPrice>();
  const priced = prices.filter((listed) => listed.price !== undefined);
  const currencies = new Set(priced.map((listed) => listed.price?.currency ?? ""));
  if (currencies.size > 1)
    faults.push({ path: "PriceList", message: `has prices in ${[...currencies].join(" and ")}` });
  for (const listed of priced) {
    const { instanceType, price } = listed;
    const known = byType.get(instanceType)?.price;
    if (listed.region !== region)
      faults.push({ path: instanceType, message: `is priced for ${listed.region}, not ${region}` });
    if (known !== undefined && known.amount !== price?.amount)
      faults.push({ path: instanceType, message: `costs ${known.amount} and ${price?.amount} an hour` });
    byType.set(instanceType, listed);
  }
  return { byType, currency: [...currencies][0] };
}

async function asked<T>(what: string, faults: Fault[], ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof Error) || error instanceof TypeError) throw error;
    faults.push({ path: what, message: `${error.name}: ${messageOf(error)}` });
    return undefined;
  }
}

/**
 * The text of a catalogue of `region` as AWS describes and prices it `today` (a day, UTC). A type without a price is
 * unpriced. It takes ec2:DescribeInstanceTypes and pricing:GetProducts.
 *
 * @throws {InputError} when AWS refuses, or answers what is no catalogue, with every fault
 */
export async function refreshCatalogue(region: string, today: string): Promise<string> {
  const faults: Fault[] = [];
  const [types, prices] = await Promise.all([
    asked("ec2:DescribeInstanceTypes", faults, () => readTypes(region, faults)),
    asked("pricing:GetProducts", faults, () => readPrices(region, faults)),
  ]);
  const { byType, currency } = pricesByType(prices ?? [], region, faults);
  if (faults.length === 0 && currency === undefined)
    faults.push({ path: "PriceList", message: `has no on-demand price for ${region}: is it a region?` });
  const rows: CatalogueRow[] = (types ?? []).flatMap((type) => {
    const row = rowOfType(type, byType.get(type.InstanceType)?.price?.amount ?? null);
    return row === undefined ? [] : [row];
  });
  const pricesAsOf = [...byType.values()].map(({ asOf }) => asOf).toSorted()[0];
  if (faults.length > 0 || currency === undefined || pricesAsOf === undefined)
    throw new InputError(`AWS, ${region}`, faults);
  return renderCatalogue(
    {
      source: "AWS Price List, GetProducts of AmazonEC2",
      licence: "none stated by AWS",
      specsAsOf: today,
      describedBy: `EC2 DescribeInstanceTypes in ${region}`,
      describedAsOf: today,
      pricesAsOf,
      region,
      currency,
    },
    rows,
  );
}
