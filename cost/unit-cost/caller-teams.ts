import type { OwnersFile } from "../owners/owners-file.ts";
import { teamOfTenant } from "../owners/ownership.ts";
import { foldTagValue } from "../report/tag-spelling.ts";
import type { Counting } from "./read-tool-calls.ts";

/**
 * Counts calls by team: what the owners file says of their tenant that day, then the team that the service counted. A
 * team is written as the file's `teams` have it.
 */
export function countByTeam(file: OwnersFile): Counting {
  const ownerOf = teamOfTenant(file);
  const spelled = new Map(file.teams.map(({ team }) => [foldTagValue(team), team]));
  return {
    labels: ["tenant", "team"],
    keyOf: ({ tenant = "", team }, day) => {
      const owner = ownerOf(tenant, day) ?? team;
      return owner === undefined ? null : (spelled.get(foldTagValue(owner)) ?? owner);
    },
  };
}
