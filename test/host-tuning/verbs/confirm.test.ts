import { describe, expect, it } from "vitest";
import { createHostRoot } from "../../helpers/host-root.ts";
import { stockHost } from "../../helpers/stock-host.ts";
import { agent } from "./agent-process.ts";

describe("bedplate confirm", () => {
  it("says that nothing waits, as text and as a contract", async () => {
    await using host = await createHostRoot({ "/run/keep": "", "/var/lib/keep": "" });
    const text = await agent(["confirm", "--root", host.root]);
    expect(text).toMatchObject({ exitCode: 0, stdout: "Nothing waits for a confirmation.\n", stderr: "" });
    const json = await agent(["confirm", "--root", host.root, "--json"]);
    expect(JSON.parse(json.stdout)).toEqual({
      apiVersion: "bedplate/v1",
      kind: "HostConfirmation",
      bootId: null,
      confirmed: [],
      waiting: [],
    });
    const back = await agent(["rollback", "--unconfirmed", "--root", host.root]);
    expect(back).toMatchObject({ exitCode: 0, stderr: "" });
    expect(back.stdout).toContain("The journal holds nothing to take back.");
  }, 120_000);

  it("has an example in its help", async () => {
    const { exitCode, stdout } = await agent(["confirm", "--help"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("$ bedplate confirm");
  }, 60_000);
});

describe("bedplate explain, of one target", () => {
  it("shows that target alone, and names those there are when there is no such one", async () => {
    await using host = await createHostRoot(stockHost());
    const one = await agent(["explain", "queue/scheduler[sda]", "--root", host.root, "--json"]);
    const { here } = JSON.parse(one.stdout) as { readonly here: readonly { readonly key: string }[] };
    expect(here.map(({ key }) => key)).toEqual(["queue/scheduler[sda]"]);
    const none = await agent(["explain", "queue/scheduler[sdz]", "--root", host.root]);
    expect(none.exitCode).toBe(2);
    expect(none.stderr).toMatch(/no such target; there are .*sda/);
  }, 120_000);
});
