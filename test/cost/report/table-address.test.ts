import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inEngineDialect } from "../../../cost/report/in-place/engine-dialect.ts";
import { parseTableAddress } from "../../../cost/report/in-place/table-address.ts";
import { CUR_CHECKS } from "../../../cost/report/cur-checks.ts";
import { FOCUS_CHECKS } from "../../../cost/report/focus-checks.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { DuckDBTables } from "../../helpers/duckdb-tables.ts";

describe("parseTableAddress()", () => {
  it.each([
    ["trino://bi@trino.example.com/hive/bill/cur", { origin: "https://trino.example.com", user: "bi" }],
    ["trino://bi@trino.example.com:8443/hive/bill/cur", { origin: "https://trino.example.com:8443" }],
    ["trino://bi@trino.example.com/hive/bill/cur?SSL=false", { origin: "http://trino.example.com:8080" }],
    [
      "trino://localhost:8080/Hive/Bill/CUR",
      { origin: "http://localhost:8080", catalog: "hive", table: "cur" },
    ],
    [
      "trino://b%40x@127.0.0.1/hive/bill/a%2Fb?SSL=true",
      { origin: "https://127.0.0.1", user: "b@x", table: "a/b" },
    ],
    ["athena://Finance-1/bill/cur", { workGroup: "Finance-1", catalog: "awsdatacatalog", output: undefined }],
    [
      "athena://primary/bill/cur?output=s3://results/x/&catalog=Glue2",
      { output: "s3://results/x/", catalog: "glue2" },
    ],
  ])("reads %s", (input, wanted) => {
    expect(parseTableAddress(input)).toMatchObject(wanted);
  });

  it.each([
    ["trino://bi:hunter2@trino.example.com/hive/bill/cur", "a password in an address ends up in logs"],
    [
      "trino://trino.example.com/hive/bill",
      "is no address as in trino://user@host:port/catalog/schema/table",
    ],
    ["trino:hive/bill/cur", "is no address as in"],
    ["trino:///hive/bill/cur", "is no address as in"],
    ["trino://h/c/s/t?SSL=yes", 'SSL is true or false, not "yes"'],
    ["trino://h/c/s/t?ssl=true", "has the setting ssl: known are SSL"],
    ["athena://primary/cur", "is no address as in athena://workgroup/database/table"],
    ["athena://primary/bill/cur?output=results", "no address as in s3://bucket/prefix/"],
    ["athena://a b/bill/cur", "is no address"],
  ])("fails on %s", (input, message) => {
    expect(() => parseTableAddress(input)).toThrow(message);
  });

  it("reads any text or refuses it, and never says a password", () => {
    const part = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(
        fc.constantFrom("trino", "athena"),
        fc.array(part, { maxLength: 5 }),
        part,
        (scheme, parts, query) => {
          const password = "pa55-word-of-somebody";
          try {
            parseTableAddress(`${scheme}://u:${password}@${parts.join("/")}?${query}`);
          } catch (error) {
            expect(error).toBeInstanceOf(InputError);
            expect(String(error)).not.toContain(password);
          }
        },
      ),
    );
  });
});

describe("inEngineDialect()", () => {
  it("leaves no call of what only DuckDB has in a check", () => {
    const checks = [...FOCUS_CHECKS, ...CUR_CHECKS].map(({ isBad }) => inEngineDialect(isBad)).join("\n");
    expect(checks).not.toMatch(
      /\b(?:is_decimal|is_utc|utc|fraction_digits|whole_digits|is_tags|regexp_full_match)\(/,
    );
  });

  it("says of any text what the prelude's own functions say", async () => {
    const number = fc.oneof(
      fc.stringMatching(/^-?[0-9]{0,6}(\.[0-9]{0,6})?([eE][-+]?[0-9]{1,2})?$/),
      fc.string({
        unit: fc.constantFrom("0", "1", "5", "9", ".", "-", "+", "e", "E", " ", "Z", "T", ":"),
        maxLength: 12,
      }),
    );
    const time = fc.oneof(
      fc.stringMatching(
        /^20[0-9]{2}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,3})?)?(Z|\+00:00)?$/,
      ),
      number,
    );
    const tags = fc.oneof(
      fc
        .dictionary(fc.string({ maxLength: 4 }), fc.string({ maxLength: 4 }))
        .map((map) => JSON.stringify(map)),
      fc.string({ maxLength: 8 }),
    );
    const tables = await DuckDBTables.open("hive", "bill");
    try {
      const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
      const compare = async (values: readonly (string | null)[], check: string): Promise<void> => {
        const from = `(values ${values.map((value) => `(${value === null ? "null" : quoted(value)})`).join(", ")}) as t(x)`;
        const { rows } = await tables.answer(
          `select x, ${check} as prelude, ${inEngineDialect(check)} as engine from ${from} where coalesce(cast(${check} as varchar), '') <> coalesce(cast(${inEngineDialect(check)} as varchar), '')`,
        );
        expect(rows).toEqual([]);
      };
      const sampled = (of: fc.Arbitrary<string>): string[] =>
        fc.sample(of, 2000).filter((text) => !text.includes("\0") && text.isWellFormed());
      const numbers = sampled(number);
      await compare([...numbers, null], "is_decimal(x)");
      const decimals = numbers.filter((text) => /^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?$/.test(text));
      expect(decimals.length).toBeGreaterThan(300);
      await compare(decimals, "fraction_digits(x)");
      await compare(decimals, "whole_digits(x)");
      await compare([...sampled(time), null], "is_utc(x)");
      await compare([...sampled(tags)], "is_tags(x)");
      await compare(["USD", "usd", "USDX", ""], "regexp_full_match(x, '[A-Z]{3}')");
    } finally {
      tables.close();
    }
  });
});
