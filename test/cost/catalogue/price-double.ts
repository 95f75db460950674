import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** One product as the AWS Price List gives it: JSON in a string, keys and nesting as GetProducts answers them. */
export function priceItem(
  instanceType: string,
  pricePerUnit: Readonly<Record<string, string>>,
  more: { readonly regionCode?: string; readonly publicationDate?: string } = {},
): string {
  const sku = `SKU${instanceType.replaceAll(/[^a-z0-9]/g, "").toUpperCase()}`;
  return JSON.stringify({
    product: {
      productFamily: "Compute Instance",
      attributes: {
        instanceType,
        regionCode: more.regionCode ?? "eu-central-1",
        operatingSystem: "Linux",
        tenancy: "Shared",
        preInstalledSw: "NA",
        capacitystatus: "Used",
        marketoption: "OnDemand",
        servicecode: "AmazonEC2",
        usagetype: `EUC1-BoxUsage:${instanceType}`,
      },
      sku,
    },
    serviceCode: "AmazonEC2",
    terms: {
      OnDemand: {
        [`${sku}.JRTCKXETXF`]: {
          offerTermCode: "JRTCKXETXF",
          sku,
          effectiveDate: "2026-11-01T00:00:00Z",
          termAttributes: {},
          priceDimensions: {
            [`${sku}.JRTCKXETXF.6YS6EN2CT7`]: {
              unit: "Hrs",
              beginRange: "0",
              endRange: "Inf",
              description: `per On Demand Linux ${instanceType} Instance Hour`,
              rateCode: `${sku}.JRTCKXETXF.6YS6EN2CT7`,
              appliesTo: [],
              pricePerUnit,
            },
          },
        },
      },
    },
    version: "20261119000000",
    publicationDate: more.publicationDate ?? "2026-11-19T12:00:00Z",
  });
}

/** The Price List API at the wire: GetProducts, in pages. moto has none. */
export class PriceDouble {
  items: readonly string[] = [];
  refusal: string | undefined;
  questions: unknown[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on("end", () => {
        const question = JSON.parse(body) as { NextToken?: string };
        this.questions.push({ target: request.headers["x-amz-target"], ...question });
        const start = Number(question.NextToken ?? 0);
        const answer =
          this.refusal === undefined
            ? {
                FormatVersion: "aws_v1",
                PriceList: this.items.slice(start, start + 100),
                ...(start + 100 < this.items.length ? { NextToken: String(start + 100) } : {}),
              }
            : { __type: this.refusal, message: "not allowed" };
        response.writeHead(this.refusal === undefined ? 200 : 400, {
          "content-type": "application/x-amz-json-1.1",
        });
        response.end(JSON.stringify(answer));
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
