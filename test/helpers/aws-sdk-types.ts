import { readFileSync } from "node:fs";
import path from "node:path";

const SDK = path.resolve(import.meta.dirname, "../../node_modules/@pulumi/aws");

/**
 * Does this AWS resource type take tags? Read from the SDK's own declarations, so that a test of tags does not ask the
 * code it tests. The type token names the file: `aws:ec2/launchTemplate:LaunchTemplate` is ec2/launchTemplate.d.ts.
 */
export function awsTypeTakesTags(type: string): boolean {
  const [, file, name] = type.split(":");
  if (file === undefined || name === undefined) throw new RangeError(`Cannot read the type ${type}`);
  const text = readFileSync(path.join(SDK, `${file}.d.ts`), "utf8");
  const args = text.slice(text.indexOf(`export interface ${name}Args`));
  return /^\s+(tags|tagSpecifications)\??:/m.test(args);
}
