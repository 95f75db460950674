import * as z from "zod";
import { EARLY_UNIT, HOST_PATHS, LATE_UNIT } from "../../host-tuning/boot/paths.ts";
import { renderUnit } from "../../host-tuning/boot/units.ts";
import { authorizationEnvironment, serviceAuthorizationSchema } from "../service/service-authorization.ts";

const hostname = z
  .string()
  .regex(/^(\[[0-9a-f:]+\]|[A-Za-z0-9.-]{1,253})$/, "a host name or address without port");

/** What the service's unit is made from; the service itself reads the same things from its environment. */
export const serviceSettingsSchema = z.strictObject({
  port: z.int().min(1024).max(65_535).default(8080),
  bindAddress: z
    .union([z.ipv4(), z.ipv6()])
    .default("0.0.0.0")
    .describe("Address that the service listens on; a security group or firewall is in front of it"),
  protocolEra: z.enum(["modern", "dual", "legacy"]).default("dual"),
  maxSubscriptions: z
    .int()
    .min(1)
    .max(4_000_000)
    .optional()
    .describe("Open response streams; the profile's workload.streams unless given"),
  longestCallSeconds: z.int().min(1).max(3600).default(30),
  allowedHosts: z
    .array(hostname)
    .max(64)
    .default([])
    .describe("Host names that clients use, beside localhost"),
  allowedOrigins: z
    .array(hostname)
    .max(64)
    .default([])
    .describe("Host names of browser origins that may call"),
  authorization: serviceAuthorizationSchema.optional(),
  tuning: z
    .enum(["required", "wanted"])
    .default("required")
    .describe(
      '"required": a host whose tuning failed does not serve; "wanted": it serves, and the failed unit shows',
    ),
});

export type ServiceSettings = z.output<typeof serviceSettingsSchema>;

/** Seconds from SIGTERM to the end of the last call, then to SIGKILL: what is in flight may finish. */
const STOP_MARGIN_SECONDS = 10;

/** systemd expands % and ends a quoted value at an unescaped quote. */
function environmentLine(name: string, value: string): readonly [string, string] {
  return ["Environment", `"${name}=${value.replaceAll("%", "%%").replaceAll(/["\\]/g, String.raw`\$&`)}"`];
}

/**
 * Unit of the reference service. It is confined to answering HTTP: no capability, no device, read-only files. The
 * agent's knobs add LimitNOFILE, AllowedCPUs and NUMAPolicy as drop-ins, so none of them is named here.
 */
export function renderServiceUnit(settings: ServiceSettings): string {
  const isRequired = settings.tuning === "required";
  return renderUnit([
    {
      name: "Unit",
      lines: [
        ["Description", "MCP service"],
        [isRequired ? "Requires" : "Wants", `${EARLY_UNIT} ${LATE_UNIT}`],
        ["After", `${EARLY_UNIT} ${LATE_UNIT} network-online.target`],
        ["Wants", "network-online.target"],
        ["StartLimitIntervalSec", "60"],
        ["StartLimitBurst", "5"],
      ],
    },
    {
      name: "Service",
      lines: [
        ["Type", "exec"],
        ["ExecStart", `${HOST_PATHS.node} ${HOST_PATHS.serviceMain}`],
        environmentLine("PORT", String(settings.port)),
        environmentLine("BIND_ADDRESS", settings.bindAddress),
        environmentLine("PROTOCOL_ERA", settings.protocolEra),
        environmentLine("LONGEST_CALL_SECONDS", String(settings.longestCallSeconds)),
        ...(settings.maxSubscriptions === undefined
          ? []
          : [environmentLine("MAX_SUBSCRIPTIONS", String(settings.maxSubscriptions))]),
        environmentLine("ALLOWED_HOSTS", settings.allowedHosts.join(",")),
        environmentLine("ALLOWED_ORIGINS", settings.allowedOrigins.join(",")),
        ...authorizationEnvironment(settings.authorization).map(([name, value]) =>
          environmentLine(name, value),
        ),
        environmentLine("HOST_REPORT_PATH", HOST_PATHS.report),
        environmentLine("NODE_ENV", "production"),
        environmentLine("NODE_COMPILE_CACHE", "/var/cache/mcp-service"),
        ["CacheDirectory", "mcp-service"],
        ["DynamicUser", "yes"],
        ["Slice", "mcp.slice"],
        ["Restart", "on-failure"],
        ["RestartSec", "1"],
        { why: "2: the environment above is wrong, and another start will not put it right" },
        ["RestartPreventExitStatus", "2"],
        ["KillSignal", "SIGTERM"],
        ["TimeoutStopSec", String(settings.longestCallSeconds + STOP_MARGIN_SECONDS)],
        ["OOMPolicy", "stop"],
        ["LimitCORE", "0"],
        ["UMask", "0077"],
        ["CapabilityBoundingSet", ""],
        ["NoNewPrivileges", "yes"],
        ["ProtectSystem", "strict"],
        ["ProtectHome", "yes"],
        ["PrivateTmp", "yes"],
        ["PrivateDevices", "yes"],
        ["ProtectClock", "yes"],
        ["ProtectHostname", "yes"],
        ["ProtectKernelLogs", "yes"],
        ["ProtectKernelModules", "yes"],
        { why: "Read-only, not hidden: the service reads back the limits that are in force for it" },
        ["ProtectKernelTunables", "yes"],
        ["ProtectControlGroups", "yes"],
        ["ProtectProc", "invisible"],
        ["LockPersonality", "yes"],
        ["RestrictNamespaces", "yes"],
        ["RestrictRealtime", "yes"],
        ["RestrictSUIDSGID", "yes"],
        ["RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX AF_NETLINK"],
        ["SystemCallArchitectures", "native"],
        ["SystemCallFilter", "@system-service"],
        ["SystemCallErrorNumber", "EPERM"],
        { why: "V8 compiles at run time: it needs pages that are written and then executed" },
        ["MemoryDenyWriteExecute", "no"],
      ],
    },
    { name: "Install", lines: [["WantedBy", "multi-user.target"]] },
  ]);
}
