import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { withSecretMarksOf, withoutSecretMarks } from "../../../components/provider/secret-values.ts";

const secret = (value: unknown) => ({
  [pulumi.runtime.specialSigKey]: pulumi.runtime.specialSecretSig,
  value,
});

test("withoutSecretMarks() gives the values as they are meant, however deep", () => {
  const inputs = { name: "a", target: secret({ user: secret("root") }), ports: [1, secret(2)], none: null };
  expect(withoutSecretMarks(inputs)).toEqual({
    name: "a",
    target: { user: "root" },
    ports: [1, 2],
    none: null,
  });
});

test("withSecretMarksOf() marks what was secret in the inputs, or in a list of theirs, and nothing else", () => {
  const inputs = {
    name: "a",
    target: { user: secret("root"), port: 22 },
    ports: [1, secret(2)],
    key: secret("k"),
  };
  const answer = { name: "a", target: { user: "root", port: 22 }, ports: [1, 2], key: "k", machineId: "m" };
  expect(withSecretMarksOf(inputs, answer)).toEqual({
    name: "a",
    target: { user: secret("root"), port: 22 },
    ports: secret([1, 2]),
    key: secret("k"),
    machineId: "m",
  });
});

test("withSecretMarksOf() of inputs without a secret is the answer as it was", () => {
  const answer = { name: "a", phases: [{ name: "boot", durationMillis: 1 }], report: null, plan: undefined };
  expect(withSecretMarksOf(answer, answer)).toEqual(answer);
});
