import * as z from "zod";
import { hostProfileSchema } from "../../../host-tuning/profile/host-profile.ts";
import { serviceSettingsSchema } from "../../user-data/service-unit.ts";
import { sshTargetSchema } from "./ssh-target.ts";

const archiveSchema = z.strictObject({
  path: z.string().min(1).describe("File on the machine that runs Pulumi"),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "64 lower-case hexadecimal digits"),
});

/** What a machine that exists already is to become: the inputs of `bedplate:index:TunedHost`. */
export const tunedHostSpecSchema = z.strictObject({
  name: z
    .string()
    .regex(
      /^[a-z][a-z0-9-]{0,79}[a-z0-9]$/,
      "2 to 81 lower-case letters, digits and -, starting with a letter",
    ),
  target: sshTargetSchema,
  architecture: z.enum(["x86_64", "arm64"]).default("x86_64"),
  profile: hostProfileSchema,
  agent: archiveSchema,
  /** Only where the service runs as a unit of the host. */
  service: z.strictObject({ archive: archiveSchema, settings: serviceSettingsSchema }).optional(),
});

export type TunedHostSpec = z.output<typeof tunedHostSpecSchema>;
export type TunedHostSpecInput = z.input<typeof tunedHostSpecSchema>;
