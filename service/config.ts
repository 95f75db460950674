import * as z from "zod";
import { parseContract } from "../host-tuning/profile/parse-contract.ts";
import {
  authorizationFaults,
  authorizationVariables,
  callerConfigOf,
} from "./authorization/authorization-config.ts";
import { wholeNumber } from "./whole-number.ts";

const hostnames = z
  .string()
  .transform((text) =>
    text
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== ""),
  )
  .pipe(
    z.array(
      z.string().regex(/^(\[[0-9a-f:]+\]|[A-Za-z0-9.-]{1,253})$/, "a host name or address without port"),
    ),
  );

/** What the service takes from its environment; every variable has a default that is safe on a developer's machine. */
const environmentSchema = z
  .object({
    PORT: wholeNumber(0, 65_535).prefault("8080"),
    BIND_ADDRESS: z.union([z.ipv4(), z.ipv6()]).prefault("127.0.0.1"),
    PROTOCOL_ERA: z.enum(["modern", "dual", "legacy"]).prefault("dual"),
    LONGEST_CALL_SECONDS: wholeNumber(1, 3600).prefault("30"),
    ALLOWED_HOSTS: hostnames.prefault(""),
    ALLOWED_ORIGINS: hostnames.prefault(""),
    MAX_BODY_BYTES: wholeNumber(1024, 64 * 1024 * 1024).prefault("1048576"),
    MAX_SUBSCRIPTIONS: wholeNumber(1, 4_000_000).prefault("1024"),
    KEEP_ALIVE_SECONDS: wholeNumber(1, 3600).prefault("65"),
    HOST_REPORT_PATH: z.string().startsWith("/").prefault("/var/lib/bedplate/report.json"),
    LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).prefault("info"),
    ...authorizationVariables,
  })
  .superRefine((variables, context) => {
    for (const { path, message } of authorizationFaults(variables, variables.BIND_ADDRESS)) {
      context.addIssue({ code: "custom", path: [path], message });
    }
  })
  .transform((variables) => ({
    port: variables.PORT,
    bindAddress: variables.BIND_ADDRESS,
    protocolEra: variables.PROTOCOL_ERA,
    longestCallSeconds: variables.LONGEST_CALL_SECONDS,
    /** Beside the loopback names and the host that tokens are for, which are always allowed. */
    allowedHosts: variables.ALLOWED_HOSTS,
    allowedOrigins: variables.ALLOWED_ORIGINS,
    maxBodyBytes: variables.MAX_BODY_BYTES,
    /** Open `subscriptions/listen` streams; the SDK's own bound is 1024 whatever the file limit says. */
    maxSubscriptions: variables.MAX_SUBSCRIPTIONS,
    /** Longer than a load balancer's idle timeout (60 s on AWS), so that the balancer closes first. */
    keepAliveSeconds: variables.KEEP_ALIVE_SECONDS,
    hostReportPath: variables.HOST_REPORT_PATH,
    logLevel: variables.LOG_LEVEL,
    ...callerConfigOf(variables),
  }));

export type ServiceConfig = z.output<typeof environmentSchema>;

/** @throws {InputError} with every variable that is wrong */
export function parseServiceConfig(environment: Readonly<Record<string, string | undefined>>): ServiceConfig {
  return parseContract(environmentSchema, environment, "environment variables");
}
