import * as z from "zod";

/**
 * Contracts as types of a Pulumi package's schema. A Pulumi type says less than a contract does: it has no limits and no
 * patterns, so those stand in the description, and the provider checks them with the contract itself.
 *
 * @see https://www.pulumi.com/docs/iac/using-pulumi/pulumi-packages/schema/
 */

/** What zod writes of a contract, as far as it is read here. */
interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: Scalar;
  readonly enum?: readonly Scalar[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

type Scalar = string | number | boolean;

interface TypeSpec {
  readonly type?: string;
  readonly $ref?: string;
  readonly items?: TypeSpec;
  readonly additionalProperties?: TypeSpec;
  readonly oneOf?: readonly TypeSpec[];
  readonly discriminator?: {
    readonly propertyName: string;
    readonly mapping: Readonly<Record<string, string>>;
  };
}

interface PropertySpec extends TypeSpec {
  readonly description?: string;
  readonly const?: Scalar;
}

export interface ObjectSpec {
  readonly description?: string;
  readonly properties: Readonly<Record<string, PropertySpec>>;
  readonly required: readonly string[];
}

/** What people write has its defaults left out; what the provider answers comes as it is. */
type Side = "input" | "output";

/** Types of one package, collected while its resources are described. Objects of one shape are one type. */
export class PulumiTypes {
  readonly #prefix: string;
  readonly #names = new Map<string, string>();
  readonly #types = new Map<string, ObjectSpec>();

  /** @param named contracts whose types have names of their own; others are named by where they stand */
  constructor(packageName: string, named: Readonly<Record<string, z.ZodType>>) {
    this.#prefix = `${packageName}:index:`;
    for (const [name, contract] of Object.entries(named)) {
      this.#names.set(shapeOf(jsonSchemaOf(contract, "input")), name);
    }
  }

  /** An object's properties, for a resource; every type below it is added to the package. */
  objectSpec(contract: z.ZodType, side: Side, name: string): ObjectSpec {
    return this.#objectSpec(jsonSchemaOf(contract, side), name);
  }

  /** By token, sorted. */
  get types(): Readonly<Record<string, Partial<ObjectSpec> & { readonly type: "object" }>> {
    const sorted = [...this.#types].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(
      sorted.map(([name, { required, ...spec }]) => [
        `${this.#prefix}${name}`,
        { type: "object" as const, ...spec, ...(required.length === 0 ? {} : { required }) },
      ]),
    );
  }

  #objectSpec(schema: JsonSchema, name: string): ObjectSpec {
    const properties = Object.entries(schema.properties ?? {});
    const isNullable = new Set(properties.filter(([, inner]) => hasNull(inner)).map(([key]) => key));
    return {
      ...(schema.description === undefined ? {} : { description: schema.description }),
      properties: Object.fromEntries(
        properties.map(([key, inner]) => [key, this.#property(inner, `${name}${pascalCase(key)}`)]),
      ),
      required: (schema.required ?? []).filter((key) => !isNullable.has(key)),
    };
  }

  #property(schema: JsonSchema, name: string): PropertySpec {
    const description = describe(schema);
    return {
      ...this.#type(schema, name),
      ...(description === "" ? {} : { description }),
      ...(schema.const === undefined ? {} : { const: schema.const }),
    };
  }

  #type(schema: JsonSchema, name: string): TypeSpec {
    const members = (schema.oneOf ?? schema.anyOf)?.filter((member) => !isNull(member));
    if (members !== undefined) return this.#union(members, name);
    if (schema.items !== undefined) return { type: "array", items: this.#type(schema.items, name) };
    if (schema.properties !== undefined) return { $ref: `#/types/${this.#add(schema, name)}` };
    if (typeof schema.additionalProperties === "object") {
      return { type: "object", additionalProperties: this.#type(schema.additionalProperties, name) };
    }
    const type = scalarType(schema);
    if (type === undefined) throw new TypeError(`Cannot describe ${name}: ${JSON.stringify(schema)}`);
    return { type };
  }

  #union(members: readonly JsonSchema[], name: string): TypeSpec {
    const [alone, ...others] = members;
    if (alone !== undefined && others.length === 0) return this.#type(alone, name);
    const key = discriminatorOf(members);
    const specs = members.map((member) =>
      this.#type(
        member,
        member.properties === undefined ? name : `${name}${pascalCase(tellingPart(member, key))}`,
      ),
    );
    const distinct = [...new Map(specs.map((spec) => [JSON.stringify(spec), spec])).values()];
    const [only] = distinct;
    if (only !== undefined && distinct.length === 1) return only;
    if (key === undefined) return { oneOf: distinct };
    const mapping = members.map((member, index) => [tellingPart(member, key), specs[index]?.$ref ?? ""]);
    return { oneOf: distinct, discriminator: { propertyName: key, mapping: Object.fromEntries(mapping) } };
  }

  /** Names the type and gives its token; a shape that is there already keeps its first name. */
  #add(schema: JsonSchema, placeName: string): string {
    const shape = shapeOf(schema);
    const name = this.#names.get(shape) ?? placeName;
    this.#names.set(shape, name);
    const spec = this.#objectSpec(schema, name);
    const there = this.#types.get(name);
    if (there !== undefined && JSON.stringify(there.properties) !== JSON.stringify(spec.properties)) {
      throw new TypeError(`Cannot name two types ${name}: give one of them a name of its own`);
    }
    if (there === undefined) this.#types.set(name, spec);
    return `${this.#prefix}${name}`;
  }
}

function jsonSchemaOf(contract: z.ZodType, side: Side): JsonSchema {
  return z.toJSONSchema(contract, { io: side, target: "draft-2020-12" }) as JsonSchema;
}

/** What makes two objects one type; the same contract is described and defaulted otherwise at each place. */
function shapeOf({ properties, required }: JsonSchema): string {
  return JSON.stringify({ properties, required });
}

function isNull({ type }: JsonSchema): boolean {
  return type === "null";
}

function hasNull(schema: JsonSchema): boolean {
  return schema.type?.includes("null") === true || (schema.anyOf ?? schema.oneOf ?? []).some(isNull);
}

/** The key whose value tells the members of a union apart. */
function discriminatorOf(members: readonly JsonSchema[]): string | undefined {
  const keys = Object.keys(members[0]?.properties ?? {});
  return keys.find((key) => members.every((member) => member.properties?.[key]?.const !== undefined));
}

function tellingPart({ properties = {} }: JsonSchema, discriminator: string | undefined): string {
  return String(discriminator === undefined ? Object.keys(properties)[0] : properties[discriminator]?.const);
}

function scalarType({ type, enum: values = [], const: value }: JsonSchema): string | undefined {
  const known = value === undefined ? values : [value];
  const scalar = [type].flat().find((name) => name !== "null");
  if (scalar === "number" && known.length > 0 && known.every(Number.isInteger)) return "integer";
  return ["string", "boolean", "integer", "number"].find((name) => name === scalar);
}

/** The description, and in words what the type does not say. */
function describe({ description, enum: values, minimum, maximum, default: preset }: JsonSchema): string {
  const most = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  const least = minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum;
  const range =
    least !== undefined && most !== undefined
      ? [`${least} to ${most}`]
      : [
          ...(least === undefined ? [] : [`at least ${least}`]),
          ...(most === undefined ? [] : [`at most ${most}`]),
        ];
  // Of a list or an object that may be left out, the parts say what they are then.
  const isShown = preset !== undefined && typeof preset !== "object";
  return [
    ...(description === undefined ? [] : [description]),
    ...(values === undefined ? [] : [`one of ${values.map((value) => JSON.stringify(value)).join(", ")}`]),
    ...range,
    ...(isShown ? [`default ${JSON.stringify(preset)}`] : []),
  ].join("; ");
}

function pascalCase(text: string): string {
  return text
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}
