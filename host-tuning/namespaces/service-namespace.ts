import * as z from "zod";

/** What is in force in a network namespace that is not the host's. Part of plans and reports. */
export const serviceNamespaceSchema = z
  .strictObject({
    namespace: z.string().nullable().describe("As /proc/PID/ns/net says it; null when it is not known"),
    services: z.array(z.string()).describe("Units, pods and containers that run in it"),
    runtime: z.enum(["systemd", "kubernetes", "docker", "podman", "containerd", "cri-o", "other"]).nullable(),
    pid: z.int().nullable(),
    isService: z.boolean().describe("The profile's own service runs in it"),
    because: z
      .string()
      .describe("What the host's values are worth there, and what brings the wanted ones about"),
    values: z.array(
      z.strictObject({
        knob: z.string(),
        inForce: z.string(),
        wanted: z.string().nullable().describe("null: nothing is wanted"),
        isInForce: z.boolean().describe("inForce is as good as wanted"),
        because: z.string(),
      }),
    ),
  })
  .describe("A network namespace of a service, and which values are in force there");

export type ServiceNamespace = z.output<typeof serviceNamespaceSchema>;
