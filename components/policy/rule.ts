/** A resource as a policy sees it: what the program asks for. */
export interface CheckedResource {
  readonly type: string;
  readonly urn: string;
  readonly props: Readonly<Record<string, unknown>>;
}

/** A resource among all others of its stack. */
export interface StackResource extends CheckedResource {
  readonly parentUrn: string | undefined;
  /** The resources that a property's value comes from: known even where the value is not. */
  readonly urnsBehind: (property: string) => readonly string[];
}

interface RuleText {
  /** As the engine prints it. */
  readonly name: string;
  /** What holds where the rule is kept. */
  readonly description: string;
  /** What to do where it is broken. */
  readonly remediation: string;
}

/** A rule about one resource: what is wrong with it, each with the property that is; empty where it is kept. */
export interface ResourceRule extends RuleText {
  readonly check: (resource: CheckedResource) => readonly string[];
}

/** A rule about how resources stand to each other. */
export interface StackRule extends RuleText {
  readonly checkStack: (
    resources: readonly StackResource[],
  ) => readonly { readonly urn: string; readonly message: string }[];
}

export type Rule = ResourceRule | StackRule;

type Props = Readonly<Record<string, unknown>>;

/** A nested object of a resource's properties; empty where there is none. */
export function asProps(value: unknown): Props {
  return typeof value === "object" && value !== null ? (value as Props) : {};
}

/** A list of a resource's properties; empty where there is none. */
export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Truth as the AWS provider takes it: some of its switches are text. */
export function isOn(value: unknown): boolean {
  return value === true || value === "true";
}
