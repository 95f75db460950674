import { describe, expect, it } from "vitest";
import { InputError } from "../../host-tuning/errors.ts";
import { parseServiceConfig } from "../../service/config.ts";

describe("parseServiceConfig()", () => {
  it("listens on loopback only, unless told otherwise", () => {
    expect(parseServiceConfig({})).toEqual({
      port: 8080,
      bindAddress: "127.0.0.1",
      protocolEra: "dual",
      longestCallSeconds: 30,
      allowedHosts: [],
      allowedOrigins: [],
      maxBodyBytes: 1_048_576,
      maxSubscriptions: 1024,
      keepAliveSeconds: 65,
      hostReportPath: "/var/lib/bedplate/report.json",
      logLevel: "info",
    });
  });

  it("takes lists with commas and ignores variables that are not its own", () => {
    const config = parseServiceConfig({ ALLOWED_HOSTS: " mcp.example, [::1],", PATH: "/bin" });
    expect(config.allowedHosts).toEqual(["mcp.example", "[::1]"]);
  });

  it("fails with every variable that is wrong at once", () => {
    const run = () =>
      parseServiceConfig({
        PORT: "70000",
        BIND_ADDRESS: "everywhere",
        PROTOCOL_ERA: "old",
        LONGEST_CALL_SECONDS: "1e3",
        ALLOWED_ORIGINS: "https://site.example",
      });
    expect(run).toThrow(InputError);
    try {
      run();
    } catch (error) {
      expect((error as InputError).faults.map((fault) => fault.path)).toEqual([
        "PORT",
        "BIND_ADDRESS",
        "PROTOCOL_ERA",
        "LONGEST_CALL_SECONDS",
        "ALLOWED_ORIGINS[0]",
      ]);
    }
  });
});
