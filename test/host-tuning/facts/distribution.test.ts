import { describe, expect, it } from "vitest";
import { parseOsRelease, refusalOf } from "../../../host-tuning/facts/distribution.ts";
import { createHostRoot, readTree } from "../../helpers/host-root.ts";
import { stockHost } from "../../helpers/stock-host.ts";
import { agent } from "../verbs/agent-process.ts";

/** os-release of images as their makers ship them, cut to what is read. */
const KNOWN = [
  'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
  'ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
  'ID=debian\nPRETTY_NAME="Debian GNU/Linux forky/sid"\n',
  'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\nPRETTY_NAME="Ubuntu 22.04.5 LTS"\n',
  'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04.3 LTS"\n',
  'ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"\nPRETTY_NAME="Amazon Linux 2023.9.20251105"\n',
  'ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.6"\nPRETTY_NAME="Red Hat Enterprise Linux 9.6 (Plow)"\n',
  'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="10.0"\nPRETTY_NAME="Rocky Linux 10.0 (Red Quartz)"\n',
] as const;

const REFUSED = [
  ['ID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine Linux v3.22"\n', "Alpine Linux v3.22"],
  ['ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\n', "Debian GNU/Linux 11"],
  ['ID=ubuntu\nID_LIKE=debian\nVERSION_ID="20.04"\nPRETTY_NAME="Ubuntu 20.04.6 LTS"\n', "Ubuntu 20.04.6 LTS"],
  [
    'ID="amzn"\nID_LIKE="centos rhel fedora"\nVERSION_ID="2"\nPRETTY_NAME="Amazon Linux 2"\n',
    "Amazon Linux 2;",
  ],
  [
    'ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"\nPRETTY_NAME="CentOS Linux 7 (Core)"\n',
    "CentOS Linux 7",
  ],
  ["ID=constructor\nVERSION_ID=9\n", "constructor 9"],
] as const;

function distributionOf(text: string): Parameters<typeof refusalOf>[0] {
  const values = parseOsRelease(text);
  return {
    id: values.get("ID") ?? "linux",
    idLike: [],
    versionId: values.get("VERSION_ID") ?? null,
    prettyName: values.get("PRETTY_NAME") ?? null,
  };
}

describe("refusalOf()", () => {
  it.each(KNOWN)("knows %j", (text) => {
    expect(refusalOf(distributionOf(text))).toBeUndefined();
  });

  it.each(REFUSED)("refuses %j by its name", (text, name) => {
    expect(refusalOf(distributionOf(text))).toContain(`the host runs ${name}`);
  });

  it("says nothing where no file says which distribution it is", () => {
    expect(refusalOf(null)).toBeUndefined();
  });
});

describe("bedplate on a distribution that it does not know", () => {
  it(
    "looks, refuses to write with exit code 2, and writes when it is told to",
    { timeout: 120_000 },
    async () => {
      await using host = await createHostRoot({
        ...stockHost(),
        "/etc/os-release": REFUSED[0][0],
        "/var/lib/keep": "",
        "/run/keep": "",
      });
      // Links are compared as they are written, so the tree's own circles do no harm.
      const before = await readTree(`${host.root}/proc/sys`);
      expect((await agent(["facts", "--root", host.root])).exitCode).toBe(0);
      expect((await agent(["plan", "--root", host.root])).exitCode).toBe(0);

      const refused = await agent(["apply", "--root", host.root]);
      expect(refused.exitCode).toBe(2);
      expect(refused.stderr).toContain(
        "Cannot apply: the host runs Alpine Linux v3.22; the agent knows Debian 12",
      );
      expect(await readTree(`${host.root}/proc/sys`)).toEqual(before);

      const told = await agent(["apply", "--any-distribution", "--root", host.root]);
      expect(told.exitCode, told.stderr).toBe(0);
      expect(await readTree(`${host.root}/proc/sys`)).not.toEqual(before);
    },
  );
});
