import { isMap, isNode, isScalar, isSeq, type Node, parseDocument } from "yaml";
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

/** What is behind `satisfies`, `as` and parentheses. */
function plainExpression(ts: typeof TypeScript, node: TypeScript.Expression): TypeScript.Expression {
  return ts.isSatisfiesExpression(node) || ts.isAsExpression(node) || ts.isParenthesizedExpression(node)
    ? plainExpression(ts, node.expression)
    : node;
}

/** The value that a file exports under a name. */
function exportedValue(
  ts: typeof TypeScript,
  source: TypeScript.SourceFile,
  exportName: string,
): TypeScript.Expression | undefined {
  return source.statements
    .filter((statement) => ts.isVariableStatement(statement))
    .filter(
      (statement) => statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true,
    )
    .flatMap(({ declarationList }) => [...declarationList.declarations])
    .find(({ name }) => ts.isIdentifier(name) && name.text === exportName)?.initializer;
}

function parseTypescript(ts: typeof TypeScript, text: string): TypeScript.SourceFile {
  return ts.createSourceFile("environment.ts", text, ts.ScriptTarget.Latest, true);
}

function typescriptFinder(ts: typeof TypeScript, text: string, exportName: string): (path: string) => Found {
  const source = parseTypescript(ts, text);
  const declared = exportedValue(ts, source, exportName);
  const plain = (node: TypeScript.Expression): TypeScript.Expression => plainExpression(ts, node);
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
    if (declared === undefined) return { missing: `the file exports no "${exportName}" with a value` };
    let node: TypeScript.Expression = declared;
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

/** A key of the environment: where it begins, and from its name's end to that of its value. */
interface WrittenKey {
  readonly name: string;
  readonly start: number;
  /** Undefined where it is written otherwise than as a name and a value. */
  readonly value: { readonly start: number; readonly end: number } | undefined;
}

interface WrittenKeys {
  readonly keys: readonly WrittenKey[];
  /** What goes between one and the next. */
  readonly separator: string;
}

function typescriptKeys(ts: typeof TypeScript, text: string, exportName: string): WrittenKeys {
  const source = parseTypescript(ts, text);
  const declared = exportedValue(ts, source, exportName);
  const value = declared === undefined ? undefined : plainExpression(ts, declared);
  const properties = value !== undefined && ts.isObjectLiteralExpression(value) ? [...value.properties] : [];
  return {
    keys: properties.map((property) => ({
      name: property.name?.getText(source) ?? "...",
      start: property.getStart(source),
      value: ts.isPropertyAssignment(property)
        ? { start: property.name.getEnd(), end: property.initializer.getEnd() }
        : undefined,
    })),
    separator: ",\n",
  };
}

/** Where a node's own text ends: a block's range goes on over comments that are of the next key. */
function endOf(node: unknown): number | undefined {
  if (isMap(node) && node.flow !== true) return endOf(node.items.at(-1)?.value);
  if (isSeq(node) && node.flow !== true) return endOf(node.items.at(-1));
  return isNode(node) ? node.range?.[1] : undefined;
}

function yamlKeys(text: string): WrittenKeys {
  const { contents, errors } = parseDocument(text, { uniqueKeys: true });
  const pairs = isMap(contents) && errors.length === 0 ? contents.items : [];
  return {
    keys: pairs.flatMap(({ key, value }) => {
      if (!isScalar(key) || key.range === undefined || key.range === null) return [];
      const [start, nameEnd] = key.range;
      const end = endOf(value);
      return [
        { name: String(key.value), start, value: end === undefined ? undefined : { start: nameEnd, end } },
      ];
    }),
    separator: isMap(contents) && contents.flow === true ? ",\n" : "\n",
  };
}

/**
 * The text of an environment file with a key at another value, or with a new key before one that it has, and every other
 * character as it was. What stood below the key goes with its old value, comments too.
 *
 * @param value written as JSON, which YAML and TypeScript read too
 * @throws {InputError} when the file does not write out the key as a value, or not the one that it is to come before
 */
export async function setEnvironmentKey(
  text: string,
  { key, value, before }: { readonly key: string; readonly value: object; readonly before: string },
  file: string,
  exportName: string | undefined,
): Promise<string> {
  const { keys, separator } =
    exportName === undefined
      ? yamlKeys(text)
      : typescriptKeys((await import("typescript")).default, text, exportName);
  const json = JSON.stringify(value);
  const own = keys.find(({ name }) => name === key);
  if (own !== undefined) {
    if (own.value !== undefined)
      return `${text.slice(0, own.value.start)}: ${json}${text.slice(own.value.end)}`;
    throw new InputError(file, [
      { path: key, message: `is no plain value in the file: make it ${json} by hand` },
    ]);
  }
  const start = keys.find(({ name }) => name === before)?.start;
  if (start === undefined) {
    const message = `the file does not write it out, so there is no place for ${key}: ${json}`;
    throw new InputError(file, [{ path: before, message }]);
  }
  const line = text.slice(text.lastIndexOf("\n", start - 1) + 1, start);
  const name = exportName === undefined && separator.startsWith(",") ? JSON.stringify(key) : key;
  const indent = /^\s*$/.test(line) ? line : "";
  return `${text.slice(0, start)}${name}: ${json}${separator}${indent}${text.slice(start)}`;
}
