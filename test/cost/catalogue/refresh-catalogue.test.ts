import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { Decimal } from "decimal.js";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type InstanceType, loadCatalogue, parseCatalogue } from "../../../cost/catalogue/catalogue.ts";
import type { CatalogueDiff } from "../../../cost/catalogue/catalogue-diff.ts";
import { parsePriceItem } from "../../../cost/catalogue/price-list.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { AwsApi, MOTO } from "../../helpers/aws-api.ts";
import { describeWith } from "../../helpers/needs.ts";
import { costCommand } from "../cost-command.ts";
import { PriceDouble, priceItem } from "./price-double.ts";

/** EC2's answer of moto, asked once: it takes seconds to write out 1,400 types. */
class AnswerOnce {
  readonly #server: Server;
  #answer: Promise<string> | undefined;

  constructor(api: string) {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        this.#answer ??= fetch(api, {
          method: "POST",
          headers: {
            authorization: request.headers.authorization ?? "",
            "content-type": request.headers["content-type"] ?? "",
          },
          body: Buffer.concat(chunks),
        }).then((answer) => answer.text());
        void this.#answer.then((text) => response.end(text));
      });
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, "127.0.0.1", resolve);
    });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}

describeWith([MOTO], "bedplate cost catalogue", () => {
  const prices = new PriceDouble();
  let types: AnswerOnce;
  let typesUrl: string;
  let api: AwsApi;
  let folder: string;
  let pricesUrl: string;

  beforeAll(async () => {
    api = await AwsApi.start();
    pricesUrl = await prices.start();
    types = new AnswerOnce(api.env["AWS_ENDPOINT_URL"] ?? "");
    typesUrl = await types.start();
  }, 90_000);
  afterAll(async () => {
    await prices.stop();
    await types.stop();
    await api.stop();
  });
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "bedplate-catalogue-"));
    prices.items = [priceItem("t3.micro", { USD: "0.0120000000" })];
    prices.refusal = undefined;
    prices.questions = [];
    const urls = { AWS_ENDPOINT_URL_PRICING: pricesUrl, AWS_ENDPOINT_URL_EC2: typesUrl };
    for (const [name, value] of Object.entries({ ...api.env, ...urls })) vi.stubEnv(name, value);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  const catalogue = async (...more: string[]) =>
    await costCommand("stacks", "catalogue", "--region", "eu-central-1", ...more);

  function saved(file: string): ReadonlyMap<string, InstanceType> {
    const { instanceTypes } = parseCatalogue(readFileSync(file, "utf8"), "eu-central-1", file);
    return new Map(instanceTypes.map((spec) => [spec.type, spec]));
  }

  async function faults(): Promise<string[]> {
    const save = path.join(folder, "refused.json");
    const { exitCode, stdout } = await catalogue("--json", "--save", save);
    expect(exitCode).toBe(2);
    expect(existsSync(save)).toBe(false);
    const error = JSON.parse(stdout) as { faults: { path: string; message: string }[] };
    return error.faults.map((fault) => `${fault.path}: ${fault.message}`);
  }

  it("describes types as the committed catalogue does, which was built from another source", async () => {
    const save = path.join(folder, "frankfurt.json");
    expect(await catalogue("--save", save)).toMatchObject({ exitCode: 0, stderr: "" });
    const refreshed = saved(save);
    const known = loadCatalogue("eu-central-1").instanceTypes.filter((spec) => refreshed.has(spec.type));
    expect(known.length).toBeGreaterThan(1300);
    // The other source has clocks and speeds of pages that people read, rounded, some of them missing or older.
    const ROUNDED = new Set(["clockMHz", "networkMbitPerSec", "ebsMbitPerSec", "price", "unlisted"]);
    const isUnlike = (before: InstanceType, now: InstanceType | undefined) =>
      Object.entries(before).some(
        ([fact, value]) => !ROUNDED.has(fact) && !isDeepStrictEqual(value, now?.[fact as keyof InstanceType]),
      );
    const unlike = known.filter((spec) => isUnlike(spec, refreshed.get(spec.type)));
    // Hard disks behind NVMe: the other source counts them among NVMe.
    expect([...new Set(unlike.map((spec) => spec.family))]).toEqual(["d3", "d3en"]);
    for (const speed of ["clockMHz", "networkMbitPerSec", "ebsMbitPerSec"] as const) {
      const same = known.filter((spec) => spec[speed] === refreshed.get(spec.type)?.[speed]);
      expect(same.length / known.length, speed).toBeGreaterThan(0.9);
    }
  });

  it("asks for on-demand Linux prices of the region and reads every page", async () => {
    const types = loadCatalogue("eu-central-1").instanceTypes.slice(0, 250);
    prices.items = types.map(({ type }, index) => priceItem(type, { USD: `0.${1000 + index}000000` }));
    const save = path.join(folder, "frankfurt.json");
    await catalogue("--save", save);
    expect(prices.questions).toHaveLength(3);
    expect(prices.questions[0]).toEqual({
      target: "AWSPriceListService.GetProducts",
      ServiceCode: "AmazonEC2",
      Filters: Object.entries({
        operatingSystem: "Linux",
        tenancy: "Shared",
        preInstalledSw: "NA",
        capacitystatus: "Used",
        marketoption: "OnDemand",
        regionCode: "eu-central-1",
      }).map(([Field, Value]) => ({ Type: "TERM_MATCH", Field, Value })),
    });
    expect(saved(save).get(types[249]?.type ?? "")?.price).toEqual({
      kind: "priced",
      amount: "0.124900",
      currency: "USD",
      unit: "hour",
      region: "eu-central-1",
      asOf: "2026-11-19",
      source: "AWS Price List, GetProducts of AmazonEC2",
    });
  });

  it("leaves a type without a price, or with one of 0, unpriced", async () => {
    prices.items = [
      priceItem("t3.micro", { USD: "0.0120000000" }),
      priceItem("t3.small", { USD: "0.0000000000" }),
    ];
    const diff = JSON.parse((await catalogue("--json")).stdout) as CatalogueDiff;
    expect(diff.unpriced).toEqual(expect.arrayContaining(["t3.small", "t3.nano"]));
    expect(diff.repriced).toEqual([{ type: "t3.micro", was: "unpriced", is: "0.012000", percent: null }]);
  });

  it("is in force where BEDPLATE_CATALOGUE names it, and the next refresh says what changed since", async () => {
    const save = path.join(folder, "frankfurt.json");
    prices.items = [
      priceItem("t3.micro", { USD: "0.0120000000" }),
      priceItem("t3.small", { USD: "0.0240000000" }),
    ];
    await catalogue("--save", save);
    vi.stubEnv("BEDPLATE_CATALOGUE", save);
    expect(
      loadCatalogue("eu-central-1").instanceTypes.find(({ type }) => type === "t3.small")?.price,
    ).toEqual(expect.objectContaining({ kind: "priced", amount: "0.024000" }));
    prices.items = [
      priceItem("t3.micro", { USD: "0.0138000000" }),
      priceItem("t3.small", { USD: "0.0216000000" }, { publicationDate: "2026-11-20T00:00:00Z" }),
    ];
    const { stdout } = await catalogue();
    expect(stdout.replaceAll(/ +$/gm, "")).toBe(`\
Catalogue of eu-central-1, USD an hour on demand, Linux
In force:  prices of 2026-11-19, AWS Price List, GetProducts of AmazonEC2
Refreshed: prices of 2026-11-19, AWS Price List, GetProducts of AmazonEC2
1386 types, 1384 unpriced; 0 new, 0 gone, 2 at another price

       type           was        is   change
price  t3.micro  0.012000  0.013800   15.0 %
price  t3.small  0.024000  0.021600  -10.0 %
`);
    vi.stubEnv("BEDPLATE_CATALOGUE", path.join(folder, "none.json"));
    expect((await catalogue()).stderr).toContain("none.json: 1 fault\n  (whole file): Cannot read: ENOENT");
  });

  it("never replaces a file unless it was told to, and then as a whole", async () => {
    const save = path.join(folder, "kept.json");
    writeFileSync(save, "mine");
    const refused = await catalogue("--save", save);
    expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
    expect(refused.stderr).toContain(`--save ${save}: is there already: give --write to replace it`);
    expect(readFileSync(save, "utf8")).toBe("mine");
    expect(await catalogue("--save", save, "--write")).toMatchObject({ exitCode: 0 });
    expect(saved(save).size).toBeGreaterThan(1300);
    expect(readdirSync(folder)).toEqual(["kept.json"]);
  });

  it("lists everything that is wrong with the answers, and saves nothing", async () => {
    prices.items = [
      priceItem("t3.micro", { USD: "0.0120000000" }),
      "{",
      priceItem("t3.small", { USD: "12 cents" }),
      priceItem("t3.large", { USD: "0.1", EUR: "0.2" }),
      priceItem("t3.micro", { USD: "0.0130000000" }),
      priceItem("t3.nano", { USD: "0.0100000000" }, { regionCode: "us-east-1" }),
    ];
    expect(await faults()).toEqual([
      expect.stringMatching(/^PriceList\[1\]: Cannot read as JSON: /),
      expect.stringMatching(/^PriceList\[2\]\.terms\.OnDemand.*USD: a decimal amount as in/),
      "PriceList[3].terms.OnDemand: t3.large has several prices an hour: 0.100000 USD, 0.200000 EUR",
      "t3.micro: costs 0.012000 and 0.013000 an hour",
      "t3.nano: is priced for us-east-1, not eu-central-1",
    ]);
    prices.items = [];
    expect(await faults()).toEqual(["PriceList: has no on-demand price for eu-central-1: is it a region?"]);
    prices.refusal = "AccessDeniedException";
    expect(await faults()).toEqual(["pricing:GetProducts: AccessDeniedException: not allowed"]);
    const mistyped = await costCommand("stacks", "catalogue", "--region", "frankfurt", "--write");
    expect(mistyped.exitCode).toBe(2);
    expect(mistyped.stderr).toBe(`\
bedplate: command line: 2 faults
  --region: "frankfurt" is no region as in eu-central-1
  --write: name the file with --save
`);
  });
});

describe("parsePriceItem()", () => {
  it("gives a price to its last digit", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 999_999_999 }),
        fc.stringMatching(/^\d{1,12}$/).filter((digits) => /[1-9]/.test(digits)),
        (whole, fraction) => {
          const amount = `${whole}.${fraction}`;
          const { price } = parsePriceItem(priceItem("c7i.large", { USD: amount }), "test");
          expect(price?.currency).toBe("USD");
          expect(price?.amount).toMatch(/^\d+\.\d{6,12}$/);
          expect(new Decimal(price?.amount ?? 0).eq(amount)).toBe(true);
        },
      ),
    );
  });

  it("refuses what is no price, and gives no other amount than one that stands there", () => {
    const whole = priceItem("c7i.large", { USD: "0.0960000000" });
    const damaged = fc
      .tuple(fc.nat({ max: whole.length }), fc.nat({ max: 8 }), fc.string({ maxLength: 8 }))
      .map(([at, cut, put]) => whole.slice(0, at) + put + whole.slice(at + cut));
    fc.assert(
      fc.property(fc.oneof(damaged, fc.json(), fc.string()), (text) => {
        try {
          const { price } = parsePriceItem(text, "test");
          if (price !== undefined) expect(text).toContain(price.amount.replace(/0+$/, ""));
        } catch (error) {
          if (!(error instanceof InputError)) throw error;
          expect(error.faults.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
