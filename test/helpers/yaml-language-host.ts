import { findYamlLanguageHost } from "../../tools/pulumi-yaml/get-language-host.ts";
import type { Part } from "./needs.ts";

const found = await findYamlLanguageHost();

/** What runs programs in YAML for the real engine. */
export const YAML_LANGUAGE_HOST: Part = {
  name: "Pulumi's language host for YAML",
  howToGet: "node tools/pulumi-yaml/get-language-host.ts",
  isThere: () => found !== undefined,
};

/** Its folder, in a test that asked for the part above. */
export function yamlLanguageHost(): string {
  if (found === undefined) throw new Error(`${YAML_LANGUAGE_HOST.name} is missing`);
  return found;
}
