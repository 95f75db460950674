import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";

/** Who may switch a machine on and off: its baseboard management controller's account. */
export const bmcAccountsSchema = z.record(
  z.string().min(1).max(253),
  z.strictObject({ username: z.string().min(1).max(255), password: z.string().min(1).max(255) }),
);

type BmcAccounts = z.output<typeof bmcAccountsSchema>;

/** Accounts of the stack's secret configuration, by machine. What they hold leaves only as a secret of the engine. */
export class BmcCredentials {
  readonly #accounts: BmcAccounts;

  constructor(accounts: BmcAccounts) {
    this.#accounts = accounts;
  }

  has(machine: string): boolean {
    return Object.hasOwn(this.#accounts, machine);
  }

  /** @throws {RangeError} for a machine without an account: ask `has` before anything is made */
  of(machine: string): pulumi.Output<{ username: string; password: string }> {
    const account = this.#accounts[machine];
    if (account === undefined || !this.has(machine))
      throw new RangeError(`There are no credentials for the machine ${machine}`);
    return pulumi.secret({ ...account });
  }
}
