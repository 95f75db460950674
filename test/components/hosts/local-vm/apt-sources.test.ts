import { describe, expect, test } from "vitest";
import {
  findDebianArchive,
  parseAptTransport,
  parseIndexTargets,
  renderBackportsSource,
  sourceLines,
} from "../../../../components/hosts/local-vm/apt-sources.ts";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

const paragraph = (fields: Record<string, string>): string =>
  Object.entries(fields)
    .map(([key, value]) => `${key}: ${value}\n`)
    .join("");

/** What apt says on a machine with Debian by an own mirror and another vendor that uses the same suite name. */
const TARGETS = [
  paragraph({
    "Repo-URI": "http://packages.example/apt/",
    Release: "bookworm",
    Component: "main",
    Origin: "Example",
  }),
  paragraph({
    "Repo-URI": "http://mirror.example/debian/",
    Release: "bookworm",
    Component: "main",
    Origin: "Debian",
    "Signed-By": KEYRING,
  }),
  paragraph({
    "Repo-URI": "http://mirror.example/debian-security/",
    Release: "bookworm-security",
    Component: "main",
    Origin: "Debian",
    "Signed-By": KEYRING,
  }),
].join("\n");

const found = () => {
  const archive = findDebianArchive(parseIndexTargets(TARGETS), "bookworm");
  if (archive === undefined) throw new Error("no archive");
  return archive;
};

describe("findDebianArchive()", () => {
  test("takes Debian and not a vendor that uses its suite name", () => {
    expect(found().main.repoUri).toBe("http://mirror.example/debian/");
    expect(found().security?.repoUri).toBe("http://mirror.example/debian-security/");
  });

  test("goes by the path before apt-get update has told the origins", () => {
    const fresh = parseIndexTargets(TARGETS.replaceAll(/^Origin: .*\n/gm, ""));
    expect(findDebianArchive(fresh, "bookworm")?.main.repoUri).toBe("http://mirror.example/debian/");
  });

  test("finds nothing where only other vendors are configured", () => {
    expect(findDebianArchive(parseIndexTargets(TARGETS).slice(0, 1), "bookworm")).toBeUndefined();
  });
});

describe("sourceLines()", () => {
  test("names another suite of the machine's own archive, with its keyring", () => {
    expect(sourceLines(found(), "trixie")).toEqual([
      `deb [signed-by=${KEYRING}] http://mirror.example/debian/ trixie main`,
      `deb [signed-by=${KEYRING}] http://mirror.example/debian/ trixie-updates main`,
      `deb [signed-by=${KEYRING}] http://mirror.example/debian-security/ trixie-security main`,
    ]);
  });
});

describe("renderBackportsSource()", () => {
  test("uses the machine's own archive", () => {
    const text = renderBackportsSource(found(), "bookworm");
    expect(text).toContain("URIs: http://mirror.example/debian/\nSuites: bookworm-backports\n");
    expect(text).toContain(`Signed-By: ${KEYRING}\n`);
  });
});

describe("parseAptTransport()", () => {
  test("keeps proxy, CA and dates, never hooks and folders", () => {
    const dump = [
      'APT::Update::Post-Invoke:: "rm -rf /";',
      'Acquire::http::Proxy "http://proxy.example:3128";',
      'Acquire::https::CaInfo "/etc/ssl/own.pem";',
      'Acquire::Check-Valid-Until "false";',
      'Dir::State "/var/lib/apt";',
    ].join("\n");
    expect(parseAptTransport(dump)).toBe(
      'Acquire::http::Proxy "http://proxy.example:3128";\nAcquire::https::CaInfo "/etc/ssl/own.pem";\nAcquire::Check-Valid-Until "false";\n',
    );
  });
});
