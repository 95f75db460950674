import { parseDocument, isMap, isScalar, isSeq, type Node } from "yaml";
import type TypeScript from "typescript";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import type { EnvironmentChange } from "./right-size-report.ts";

/** Where a number stands in a text. */
interface Place {
  readonly start: number;
  readonly end: number;
  readonly value: number;
}

type Found = Place | { readonly missing: string };

/** "hostPools[0].needs.vcpus" and `devices["nvidia.com/gpu"]` as steps. */
export function pathSteps(path: string): readonly (string | number)[] {
  return Array.from(path.matchAll(/\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([A-Za-z_]\w*)/g), (match) =>
    match[1] === undefined ? (match[2] ?? match[3] ?? "") : Number(match[1]),
  );
}

function typescriptFinder(ts: typeof TypeScript, text: string, exportName: string): (path: string) => Found {
  const source = ts.createSourceFile("environment.ts", text, ts.ScriptTarget.Latest, true);
  const declared = source.statements
    .filter((statement) => ts.isVariableStatement(statement))
    .filter(
      (statement) => statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true,
    )
    .flatMap(({ declarationList }) => [...declarationList.declarations])
    .find(({ name }) => ts.isIdentifier(name) && name.text === exportName);
  const plain = (node: TypeScript.Expression): TypeScript.Expression =>
    ts.isSatisfiesExpression(node) || ts.isAsExpression(node) || ts.isParenthesizedExpression(node)
      ? plain(node.expression)
      : node;
  const step = (node: TypeScript.Expression, key: string | number): TypeScript.Expression | string => {
    const value = plain(node);
    if (typeof key === "number") {
      if (!ts.isArrayLiteralExpression(value)) return "is no list that is written out";
      if (value.elements.some((element) => ts.isSpreadElement(element))) return "is a list with ...";
      return value.elements[key] ?? `has no element ${key}`;
    }
    if (!ts.isObjectLiteralExpression(value)) return "is no object that is written out";
    if (value.properties.some((property) => ts.isSpreadAssignment(property))) return "is an object with ...";
    const named = value.properties.filter(
      ({ name }) =>
        name !== undefined && (ts.isIdentifier(name) || ts.isStringLiteral(name)) && name.text === key,
    );
    const [property] = named;
    if (property === undefined) return `does not say ${key}: write its value down first`;
    if (named.length > 1) return `says ${key} more than once`;
    return ts.isPropertyAssignment(property)
      ? property.initializer
      : `says ${key} in another way than "${key}: ..."`;
  };
  return (path) => {
    if (declared?.initializer === undefined)
      return { missing: `the file exports no "${exportName}" with a value` };
    let node: TypeScript.Expression = declared.initializer;
    for (const key of pathSteps(path)) {
      const next = step(node, key);
      if (typeof next === "string") return { missing: `the file ${next}` };
      node = next;
    }
    const value = plain(node);
    if (!ts.isNumericLiteral(value)) return { missing: "is no plain number in the file" };
    return { start: value.getStart(source), end: value.getEnd(), value: Number(value.text) };
  };
}

function yamlFinder(text: string): (path: string) => Found {
  const document = parseDocument(text, { uniqueKeys: true });
  return (path) => {
    if (document.errors.length > 0) return { missing: "the file is no YAML" };
    let node: unknown = document.contents;
    for (const key of pathSteps(path)) {
      // An alias is one place for two meanings: a change of it would change the other too.
      if (isMap(node) && typeof key === "string") node = node.get(key, true);
      else if (isSeq(node) && typeof key === "number") node = node.get(key, true);
      else return { missing: "the file does not write it out" };
      if (node === undefined) return { missing: `the file does not say ${key}: write its value down first` };
    }
    if (!isScalar(node) || typeof node.value !== "number")
      return { missing: "is no plain number in the file" };
    const range: Node["range"] = node.range;
    if (range === undefined || range === null) return { missing: "stands at no known place" };
    return { start: range[0], end: range[1], value: node.value };
  };
}

/** How the file writes numbers: 65_536 stays so. */
function numberText(value: number, before: string): string {
  const text = String(value);
  return before.includes("_") ? text.replaceAll(/\B(?=(?:\d{3})+$)/g, "_") : text;
}

/**
 * The text of an environment file with numbers changed and every other character as it was: comments, order, spelling.
 *
 * @param exportName of the environment in a TypeScript file; undefined for YAML and JSON
 * @throws {InputError} when a number is not written where it is expected, or is not the one that the change starts from
 */
export async function editEnvironmentText(
  text: string,
  changes: readonly EnvironmentChange[],
  file: string,
  exportName: string | undefined,
): Promise<string> {
  const find =
    exportName === undefined
      ? yamlFinder(text)
      : typescriptFinder((await import("typescript")).default, text, exportName);
  const faults: Fault[] = [];
  const places = changes.flatMap((change) => {
    const found = find(change.path);
    if ("missing" in found) faults.push({ path: change.path, message: found.missing });
    else if (found.value !== change.from) {
      faults.push({
        path: change.path,
        message: `is ${found.value} in the file, and ${change.from} was expected`,
      });
    } else return [{ ...found, to: change.to }];
    return [];
  });
  if (faults.length > 0) throw new InputError(file, faults);
  // From the end, so that places before a change stay where they are.
  return places
    .toSorted((a, b) => b.start - a.start)
    .reduce(
      (edited, { start, end, to }) =>
        edited.slice(0, start) + numberText(to, text.slice(start, end)) + edited.slice(end),
      text,
    );
}
