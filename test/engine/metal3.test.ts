import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { rackEnvironment } from "../components/hosts/metal3/rack-environment.ts";
import {
  changesOf,
  expectNoError,
  expectTakenOver,
  idsOf,
  recordedState,
  replacementsOf,
} from "../helpers/engine-operations.ts";
import { EngineStack, type EngineStackArgs } from "../helpers/engine-stack.ts";
import { describeWith } from "../helpers/needs.ts";
import type { Values } from "../helpers/provider-double/check-inputs.ts";
import { PULUMI } from "../helpers/pulumi-cli.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const POLICY_PACK = path.resolve(import.meta.dirname, "../../components/policy");
const HOST = "kubernetes:metal3.io/v1alpha1:BareMetalHost";
const FIRMWARE = "kubernetes:metal3.io/v1alpha1:HostFirmwareSettings";
const SECRET = "kubernetes:core/v1:Secret";
const PASSWORD = "correct horse battery staple";

const accounts = (password: string) => {
  const account = { username: "bedplate", password };
  return JSON.stringify({ "rack-serving-r1u1": account, "rack-serving-r1u2": account });
};

/** What Metal3 writes into the status of a machine that it has provisioned. */
function provisioned(type: string, { spec }: Values): Values {
  if (type !== HOST) return {};
  const { bootMACAddress: mac } = spec as { readonly bootMACAddress: string };
  const ip = mac.endsWith("0a") ? "10.0.1.1" : "10.0.1.2";
  return { status: { provisioning: { state: "provisioned" }, hardware: { nics: [{ mac, ip }] } } };
}

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "bedplate-racks-engine-"));
  file = path.join(folder, "rack.yaml");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (pool: Record<string, unknown> = {}): void =>
  writeFileSync(file, stringify(rackEnvironment(pool)));

function stackArgs(): EngineStackArgs {
  return {
    stack: "rack",
    config: { environmentFile: file },
    secretConfig: { bmcCredentials: accounts(PASSWORD) },
    addedByControllers: provisioned,
  };
}

describeWith([PULUMI], "an environment of racked machines, under the real engine", () => {
  test("comes up, is changed in place, is healed, moves, and leaves nothing", async () => {
    write();
    const stack = await EngineStack.open(stackArgs());
    try {
      const up = await stack.up();
      expectNoError(up);
      expect(stack.kubernetes.resources.map(({ type }) => type.split(":").at(-1))).toEqual([
        ...Array<string>(3).fill("Secret"),
        ...Array<string>(2).fill("BareMetalHost"),
        ...Array<string>(2).fill("DataImage"),
        ...Array<string>(2).fill("HostFirmwareSettings"),
      ]);
      expect(await stack.stack.outputs()).toMatchObject({
        pools: { value: { serving: { count: 2, addresses: ["10.0.1.1", "10.0.1.2"] } } },
        serviceUrls: { value: ["http://10.0.1.1:8080/mcp", "http://10.0.1.2:8080/mcp"] },
      });
      expect(stack.storedState()).not.toContain(PASSWORD);
      expect(changesOf(await stack.refreshedUp())).toEqual([]);

      // Another password and another profile: Metal3 holds on to an account that it uses, so both change in place.
      await stack.setSecretConfig("bmcCredentials", accounts("another"));
      write({ automatedCleaningMode: "disabled", profile: { preset: "throughput" } });
      const changed = await stack.up();
      expectNoError(changed);
      expect(changesOf(changed)).toEqual([
        `update ${SECRET} rack-serving-r1u1-bmc`,
        `update ${SECRET} rack-serving-r1u2-bmc`,
        `update ${SECRET} rack-serving-user-data`,
        `update ${HOST} rack-serving-r1u1`,
        `update ${HOST} rack-serving-r1u2`,
      ]);

      // By hand: a machine is switched off, and another's firmware settings are deleted.
      const { inputs } = stack.kubernetes.find(HOST, "rack-serving-r1u1");
      stack.kubernetes.drift(HOST, "rack-serving-r1u1", {
        spec: { ...(inputs["spec"] as Values), online: false },
      });
      stack.kubernetes.lose(FIRMWARE, "rack-serving-r1u2-firmware");
      const healed = await stack.refreshedUp();
      expectNoError(healed);
      expect(changesOf(healed)).toEqual([
        `create ${FIRMWARE} rack-serving-r1u2-firmware`,
        `update ${HOST} rack-serving-r1u1`,
      ]);

      // Another namespace: a machine is given up there before it is registered here, as no two may have its address.
      write({ automatedCleaningMode: "disabled", namespace: "racks" });
      const moved = await stack.up();
      expectNoError(moved);
      expect(replacementsOf(moved)).toContain(`${HOST} rack-serving-r1u1 for metadata.namespace`);
      expect(idsOf(stack).filter((id) => id.startsWith(HOST))).toEqual([
        `${HOST} racks/rack-serving-r1u1`,
        `${HOST} racks/rack-serving-r1u2`,
      ]);
      expect(stack.kubernetes.resources).toHaveLength(9);

      expectNoError(await stack.destroy());
      expect(idsOf(stack)).toEqual([]);
      expect(stack.storedState()).not.toContain("urn:pulumi");
    } finally {
      stack.close();
    }
  });

  test("as the previous release left it keeps to every policy, and is taken over without a replacement or a deletion", async () => {
    write();
    const stack = await EngineStack.open({
      ...stackArgs(),
      deployment: recordedState("rack"),
      policyPacks: [POLICY_PACK],
    });
    try {
      expectTakenOver(await stack.preview());
    } finally {
      stack.close();
    }
  });
});
