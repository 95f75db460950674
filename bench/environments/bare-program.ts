import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";

/** Registers what a file lists, and nothing else: no component, no check, no parent, no provider of our own. */
interface BareResource {
  readonly type: string;
  readonly name: string;
  readonly isCustom: boolean;
  readonly inputs: pulumi.Inputs;
}

class BareCustom extends pulumi.CustomResource {
  constructor({ type, name, inputs }: BareResource) {
    super(type, name, inputs);
  }
}

class BareComponent extends pulumi.ComponentResource {
  constructor({ type, name, inputs }: BareResource) {
    super(type, name, inputs);
  }
}

const file = process.env["BEDPLATE_BARE_RESOURCES"];
if (file === undefined) throw new pulumi.RunError("BEDPLATE_BARE_RESOURCES names no file");
const listed = JSON.parse(readFileSync(file, "utf8")) as readonly BareResource[];
export const registered = listed.map((resource) =>
  resource.isCustom ? new BareCustom(resource) : new BareComponent(resource),
).length;
