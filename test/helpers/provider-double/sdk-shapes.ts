import { readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";

/**
 * The inputs and outputs of a resource type as the provider's SDK declares them. The SDK is generated from the provider's
 * schema, so its declarations say what the schema says: names, types, which are required, enumerations, nested objects.
 * Only the declarations that are asked for are parsed: those of AWS have 5 MB.
 */

const MODULES = path.resolve(import.meta.dirname, "../../../node_modules/@pulumi");

export type Shape =
  | { readonly kind: "string" | "number" | "boolean" | "any" | "asset" }
  | { readonly kind: "literal"; readonly value: string | number | boolean }
  | { readonly kind: "enum"; readonly name: string; readonly values: readonly (string | number)[] }
  | { readonly kind: "list" | "map"; readonly of: Shape }
  | { readonly kind: "union"; readonly of: readonly Shape[] }
  | { readonly kind: "object"; readonly name: string; readonly properties: () => Properties };

export interface Property {
  readonly shape: Shape;
  readonly isRequired: boolean;
}

export type Properties = ReadonlyMap<string, Property>;

export interface ResourceShape {
  readonly inputs: Properties;
  /** What the resource has when it is made; some of it is given as inputs. */
  readonly outputs: Properties;
  /** A custom resource of Kubernetes: only its cluster knows what else it may have. */
  readonly isOpen: boolean;
}

/** Where one declaration stands in a file of many: from its keyword to its closing brace. */
type Index = ReadonlyMap<string, readonly [start: number, end: number]>;

/** The declarations of one SDK. */
export class SdkShapes {
  readonly packageName: string;
  readonly version: string;
  readonly #folder: string;
  readonly #resources = new Map<string, ResourceShape>();
  readonly #objects = new Map<string, Properties>();
  readonly #files = new Map<string, { readonly text: string; readonly index: Index }>();

  constructor(packageName: string) {
    this.packageName = packageName;
    this.#folder = path.join(MODULES, packageName);
    const manifest = readFileSync(path.join(this.#folder, "package.json"), "utf8");
    this.version = (JSON.parse(manifest) as { readonly version: string }).version;
  }

  /** @throws {RangeError} when the SDK has no such type */
  resource(token: string): ResourceShape {
    const known = this.#resources.get(token);
    if (known !== undefined) return known;
    const made = this.#readResource(token);
    this.#resources.set(token, made);
    return made;
  }

  #readResource(token: string): ResourceShape {
    const [, module = "", name = ""] = token.split(":");
    if (isCustomKind(token)) {
      const { inputs, outputs } = this.resource("kubernetes:core/v1:Namespace");
      return { inputs: onlyHeaders(inputs), outputs: onlyHeaders(outputs), isOpen: true };
    }
    const file = this.packageName === "kubernetes" ? kubernetesFile(module, name) : module;
    let source: ts.SourceFile;
    try {
      source = parse(readFileSync(path.join(this.#folder, `${file}.d.ts`), "utf8"));
    } catch (cause) {
      throw new RangeError(`Cannot read the type ${token}: @pulumi/${this.packageName} has no ${file}.d.ts`, {
        cause,
      });
    }
    let inputs: Properties | undefined;
    let outputs: Properties | undefined;
    for (const statement of source.statements) {
      if (ts.isInterfaceDeclaration(statement) && statement.name.text === `${name}Args`) {
        inputs = this.#propertiesOf(statement.members);
      }
      if (ts.isClassDeclaration(statement) && statement.name?.text === name) {
        outputs = this.#propertiesOf(statement.members);
      }
    }
    if (inputs === undefined || outputs === undefined) {
      throw new RangeError(`Cannot read the type ${token}: ${file}.d.ts declares no ${name}`);
    }
    return { inputs, outputs, isOpen: false };
  }

  #propertiesOf(members: ts.NodeArray<ts.TypeElement | ts.ClassElement>): Properties {
    const properties = new Map<string, Property>();
    for (const member of members) {
      if (!ts.isPropertySignature(member) && !ts.isPropertyDeclaration(member)) continue;
      if (member.type === undefined) continue;
      const isOptional = member.questionToken !== undefined || acceptsUndefined(member.type);
      const name = ts.isStringLiteral(member.name) ? member.name.text : member.name.getText();
      properties.set(name, { shape: this.#shapeOf(member.type), isRequired: !isOptional });
    }
    return properties;
  }

  #shapeOf(node: ts.TypeNode): Shape {
    if (ts.isParenthesizedTypeNode(node)) return this.#shapeOf(node.type);
    if (ts.isArrayTypeNode(node)) return { kind: "list", of: this.#shapeOf(node.elementType) };
    if (ts.isUnionTypeNode(node)) {
      const variants = node.types.filter((type) => !isUndefined(type)).map((type) => this.#shapeOf(type));
      const [only] = variants;
      return variants.length === 1 && only !== undefined ? only : { kind: "union", of: variants };
    }
    if (ts.isTypeLiteralNode(node)) {
      const [member] = node.members;
      if (member !== undefined && ts.isIndexSignatureDeclaration(member)) {
        return { kind: "map", of: this.#shapeOf(member.type) };
      }
      return { kind: "object", name: "", properties: () => this.#propertiesOf(node.members) };
    }
    if (ts.isLiteralTypeNode(node)) {
      const { literal } = node;
      if (ts.isStringLiteral(literal)) return { kind: "literal", value: literal.text };
      if (ts.isNumericLiteral(literal)) return { kind: "literal", value: Number(literal.text) };
      if (literal.kind === ts.SyntaxKind.TrueKeyword) return { kind: "literal", value: true };
      if (literal.kind === ts.SyntaxKind.FalseKeyword) return { kind: "literal", value: false };
    }
    if (node.kind === ts.SyntaxKind.StringKeyword) return { kind: "string" };
    if (node.kind === ts.SyntaxKind.NumberKeyword) return { kind: "number" };
    if (node.kind === ts.SyntaxKind.BooleanKeyword) return { kind: "boolean" };
    if (ts.isTypeReferenceNode(node)) return this.#referenceShape(node);
    return { kind: "any" };
  }

  #referenceShape(node: ts.TypeReferenceNode): Shape {
    const name = node.typeName.getText();
    const [argument] = node.typeArguments ?? [];
    if ((name === "pulumi.Input" || name === "pulumi.Output") && argument !== undefined)
      return this.#shapeOf(argument);
    if (name.startsWith("pulumi.asset.")) return { kind: "asset" };
    const [root, ...rest] = name.split(".");
    const declared = rest.join(".");
    if (root === "inputs" || root === "outputs") {
      const file = root === "inputs" ? "types/input.d.ts" : "types/output.d.ts";
      return { kind: "object", name: declared, properties: () => this.#object(file, declared) };
    }
    if (root === "enums") return this.#enumShape(rest);
    // A resource in place of its id or name, or an alias of text as ARN: the engine sends text.
    return { kind: "string" };
  }

  #object(file: string, name: string): Properties {
    const key = `${file}#${name}`;
    const known = this.#objects.get(key);
    if (known !== undefined) return known;
    const { text, index } = this.#file(file);
    const place = index.get(name);
    if (place === undefined)
      throw new RangeError(`Cannot read ${name}: @pulumi/${this.packageName} ${file} has none`);
    const [statement] = parse(text.slice(...place)).statements;
    if (statement === undefined || !ts.isInterfaceDeclaration(statement)) {
      throw new RangeError(`Cannot read ${name} of @pulumi/${this.packageName}: it is no interface`);
    }
    const properties = this.#propertiesOf(statement.members);
    this.#objects.set(key, properties);
    return properties;
  }

  #enumShape(names: readonly string[]): Shape {
    const name = names.at(-1) ?? "";
    const file = path.join(this.#folder, "types/enums", ...names.slice(0, -1), "index.d.ts");
    const values: (string | number)[] = [];
    for (const statement of parse(readFileSync(file, "utf8")).statements) {
      if (!ts.isVariableStatement(statement)) continue;
      const [declaration] = statement.declarationList.declarations;
      if (declaration?.name.getText() !== name) continue;
      if (declaration.type === undefined || !ts.isTypeLiteralNode(declaration.type)) continue;
      for (const property of this.#propertiesOf(declaration.type.members).values()) {
        if (property.shape.kind === "literal" && typeof property.shape.value !== "boolean") {
          values.push(property.shape.value);
        }
      }
    }
    if (values.length === 0)
      throw new RangeError(`Cannot read the enumeration ${names.join(".")}: ${file} has none`);
    return { kind: "enum", name, values };
  }

  #file(file: string): { readonly text: string; readonly index: Index } {
    const known = this.#files.get(file);
    if (known !== undefined) return known;
    const text = readFileSync(path.join(this.#folder, file), "utf8");
    const made = { text, index: indexOf(text) };
    this.#files.set(file, made);
    return made;
  }
}

/** A kind that a group of nobody's SDK brings, as `monitoring.coreos.com/v1:ServiceMonitor`. */
function isCustomKind(token: string): boolean {
  return /^kubernetes:[^/:]+\.[^/:]+\//.test(token) && !/^kubernetes:[^/:]+\.k8s\.io\//.test(token);
}

/** What every object of Kubernetes has; a custom one names its kind as it likes. */
function onlyHeaders(properties: Properties): Properties {
  const metadata = properties.get("metadata");
  const text: Property = { shape: { kind: "string" }, isRequired: true };
  return new Map([
    ["apiVersion", text],
    ["kind", text],
    ...(metadata === undefined ? [] : [["metadata", metadata] as const]),
  ]);
}

/** AWS names the file in the token, Kubernetes the group and the class: networking.k8s.io/v1:NetworkPolicy. */
function kubernetesFile(module: string, name: string): string {
  const [group = "", version = ""] = module.split("/");
  return path.join(group.split(".")[0] ?? "", version, name.charAt(0).toLowerCase() + name.slice(1));
}

function parse(text: string): ts.SourceFile {
  return ts.createSourceFile("declarations.d.ts", text, ts.ScriptTarget.Latest, true);
}

function isUndefined(node: ts.TypeNode): boolean {
  return node.kind === ts.SyntaxKind.UndefinedKeyword;
}

function acceptsUndefined(node: ts.TypeNode): boolean {
  if (ts.isUnionTypeNode(node)) return node.types.some(isUndefined);
  const [argument] = ts.isTypeReferenceNode(node) ? (node.typeArguments ?? []) : [];
  return argument !== undefined && acceptsUndefined(argument);
}

/** Interfaces by their dotted name, found by the generator's own indentation: parsing the whole file takes seconds. */
function indexOf(text: string): Index {
  const index = new Map<string, readonly [number, number]>();
  const open: { readonly name: string; readonly indent: number; readonly interfaceStart?: number }[] = [];
  for (const match of text.matchAll(
    /^( *)(?:(?:export )?(?:declare )?(namespace|interface) (\w+).*\{|(\}))$/gm,
  )) {
    const [line, spaces = "", kind, name = ""] = match;
    const indent = spaces.length;
    if (kind === undefined) {
      const last = open.at(-1);
      if (last?.indent !== indent) continue;
      open.pop();
      if (last.interfaceStart === undefined) continue;
      const dotted = [...open.map((scope) => scope.name), last.name].join(".");
      index.set(dotted, [last.interfaceStart, match.index + line.length]);
    } else {
      open.push({ name, indent, ...(kind === "interface" ? { interfaceStart: match.index } : {}) });
    }
  }
  return index;
}
