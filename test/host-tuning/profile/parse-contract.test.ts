import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InputError } from "../../../host-tuning/errors.ts";
import { hostProfileSchema } from "../../../host-tuning/profile/host-profile.ts";
import { formatPath, parseContract, parseYamlText } from "../../../host-tuning/profile/parse-contract.ts";

function faultsOf(data: unknown): Record<string, string> {
  try {
    parseContract(hostProfileSchema, data, "profile.yaml");
  } catch (error) {
    if (error instanceof InputError)
      return Object.fromEntries(error.faults.map((fault) => [fault.path, fault.message]));
    throw error;
  }
  return {};
}

const MINIMAL = { apiVersion: "bedplate/v1", kind: "HostProfile" };

describe("parseContract()", () => {
  it("fills every default from the two required keys", () => {
    const profile = parseContract(hostProfileSchema, MINIMAL, "profile.yaml");
    expect(profile).toMatchObject({
      preset: "balanced",
      workload: { connections: 4096 },
      service: { unit: "mcp-service.service" },
    });
  });

  it("fails with all five faults at once, each with its path", () => {
    const faults = faultsOf({
      ...MINIMAL,
      preset: "fast",
      workload: { connections: 0 },
      sriov: [{ match: { name: "../../etc" }, virtualFunctions: 2 }],
      overrides: { "net.core.somaxconn": { value: 1 } },
      colour: "red",
    });
    expect(Object.keys(faults).toSorted()).toEqual([
      "colour",
      'overrides["net.core.somaxconn"].because',
      "preset",
      "sriov[0].match.name",
      "workload.connections",
    ]);
  });

  it("fails on another version", () =>
    expect(faultsOf({ ...MINIMAL, apiVersion: "bedplate/v2" })).toHaveProperty("apiVersion"));

  it("never throws anything but InputError", () => {
    fc.assert(fc.property(fc.jsonValue(), (data) => void faultsOf(data)));
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("preset", "workload", "cpu", "sriov", "overrides"), fc.jsonValue()),
        (data) => void faultsOf({ ...MINIMAL, ...data }),
      ),
    );
  });
});

describe("parseYamlText()", () => {
  it("fails on a key given twice", () =>
    expect(() => parseYamlText("a: 1\na: 2", "x.yaml")).toThrow(InputError));
  it("fails on a bomb of aliases", () => {
    const bomb = [
      "a: &a [x,x,x,x,x,x,x,x,x]",
      ...Array.from(
        { length: 8 },
        (_, i) =>
          `${"bcdefghi"[i]}: &${"bcdefghi"[i]} [${Array.from({ length: 9 }, () => `*${"abcdefgh"[i]}`).join(",")}]`,
      ),
    ].join("\n");
    expect(() => parseYamlText(bomb, "x.yaml")).toThrow(InputError);
  });
  it("never throws anything but InputError", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseYamlText(text, "x.yaml");
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
    );
  });
});

describe("formatPath()", () => {
  it("writes paths as a person does", () =>
    expect(formatPath(["hostPools", 0, "profile", "overrides", "net.core.somaxconn", "value"])).toBe(
      'hostPools[0].profile.overrides["net.core.somaxconn"].value',
    ));
});
