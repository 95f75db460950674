import {
  INSTANCE_TYPE,
  INSTANCE_TYPE_COUNT,
  PRODUCT_COUNT,
  REGION,
  REGION_COUNT,
  REGION_PREFIX,
  TEAMS,
  teamOf,
} from "./month-tables.ts";
import type { Scene } from "./scene.ts";
import { SCENES } from "./scenes.ts";

/** Events come in blocks of this many: each block has every scene as often as its weight says. */
const BLOCK_EVENTS = 256;

/** Which events a month has, so that their lines are exactly as many as were asked for. */
export interface EventPlan {
  readonly seed: number;
  /** First every scene once, then whole blocks, then plain usage. */
  readonly scenes: readonly Scene[];
  readonly blocks: number;
  readonly events: number;
  readonly rows: number;
  /** The first hour of the month. */
  readonly monthStart: string;
  readonly monthEnd: string;
  readonly hours: number;
}

export type LinesOf = (scene: Scene) => number;

/** The fewest lines of a month that has every scene. */
export function fewestRows(linesOf: LinesOf): number {
  return SCENES.reduce((sum, scene) => sum + linesOf(scene), 0);
}

function sqlTime(time: Date): string {
  return time.toISOString().slice(0, 19).replace("T", " ");
}

export function planEvents(args: {
  readonly seed: number;
  readonly rows: number;
  readonly month: string;
  readonly scenes: readonly Scene[];
  readonly linesOf: LinesOf;
}): EventPlan {
  const { seed, rows, month, scenes, linesOf } = args;
  const blockRows = scenes.reduce((sum, scene) => sum + scene.weight * linesOf(scene), 0);
  const afterScenes = rows - scenes.reduce((sum, scene) => sum + linesOf(scene), 0);
  const blocks = Math.floor(afterScenes / blockRows);
  const start = new Date(`${month}-01T00:00:00Z`);
  const end = new Date(start);
  end.setUTCMonth(end.getUTCMonth() + 1);
  return {
    seed,
    rows,
    scenes,
    blocks,
    events: scenes.length + blocks * BLOCK_EVENTS + (afterScenes - blocks * blockRows),
    monthStart: sqlTime(start),
    monthEnd: sqlTime(end),
    hours: (end.getTime() - start.getTime()) / 3_600_000,
  };
}

/** A prime: numbers below it squared still fit 64 bits, so that every machine and every version draws the same. */
const PRIME = 2_147_483_647;

/** A number below 2^31 that looks like chance, of the event's number `of`, the seed and the draw. */
function draw(of: string, seed: number, which: number): string {
  const start = `((${of} * 48271 + ${(seed * 7919 + which * 104_729) % PRIME}) % ${PRIME})`;
  const once = `((${start} * ${start} + ${which * 12_345 + 1}) % ${PRIME})`;
  return `((${once} * ${once} + ${of}) % ${PRIME})`;
}

/** `case` branches that give the scene of a place in a block. */
function sceneBranches(scenes: readonly Scene[]): string {
  let below = 0;
  const branches = scenes.map((scene, index) => {
    below += scene.weight;
    return `when place < ${below} then ${index}`;
  });
  return branches.join("\n              ");
}

/** Events `from` to `to` of the month: who did what, when, and what it costs in units of 10^-10. */
export function eventsSql(plan: EventPlan, from: number, to: number): string {
  const { seed, scenes, rows, monthStart, monthEnd, hours } = plan;
  const chance = (which: number): string => draw("i", seed, which);
  const nodes = Math.max(3, Math.floor(rows / 10_000));
  const resources = Math.max(7, Math.floor(rows / 400));
  const onNode = scenes.flatMap((scene, index) => (scene.isOnNode === true ? [index] : []));
  const late = scenes.flatMap((scene, index) => (scene.isLate === true ? [index] : []));
  const block = `((i - ${scenes.length}) // ${BLOCK_EVENTS})`;
  return `
    select *,
      ${teamOf("team_index")} as team,
      ${teamOf("pod_a_index")} as pod_a_team,
      ${teamOf("pod_b_index")} as pod_b_team,
      ${REGION} as region, ${REGION_PREFIX} as region_prefix, ${INSTANCE_TYPE} as instance_type,
      printf('%012d', 111122223333 + team_index % 5 * 1111) as account,
      cast(timestamp '${monthStart}' + to_hours(hour) as timestamp) as starts_at,
      cast(timestamp '${monthStart}' + to_hours(hour + 1) as timestamp) as ends_at,
      timestamp '${monthStart}' as month_start, timestamp '${monthEnd}' as month_end,
      cost * (45 + chance_d % 31) // 100 as paid,
      cost * (chance_d // 32 % 31) // 100 as pod_a,
      cost * (chance_d // 1024 % 31) // 100 as pod_b,
      cost * (chance_d // 32768 % 15) // 100 as idle_a,
      cost * (chance_d // 524288 % 15) // 100 as idle_b
    from (
      select *,
        resource % ${TEAMS.length} as team_index,
        (resource + chance_b // 4096) % ${TEAMS.length} as pod_a_index,
        (resource + 5 + chance_b // 65536) % ${TEAMS.length} as pod_b_index,
        cast(chance_b % ${hours} as integer) as hour,
        resource // 16 % ${REGION_COUNT} as region_index,
        resource % ${INSTANCE_TYPE_COUNT} as instance_type_index,
        resource // 4 % ${PRODUCT_COUNT} as product,
        1 + (chance_c * 16 >> cast(chance_d % 20 as integer)) * (case when chance_c % 64 = 0 then 400 else 1 end) as cost,
        scene in (${late.join(", ")}) as is_late
      from (
        select *,
          case when scene in (${onNode.join(", ")}) then chance_a % ${nodes} else chance_a % ${resources} end as resource
        from (
          select i, ${chance(1)} as chance_a, ${chance(2)} as chance_b, ${chance(3)} as chance_c, ${chance(4)} as chance_d,
            case
              when i < ${scenes.length} then i
              when i >= ${scenes.length + plan.blocks * BLOCK_EVENTS} then 0
              ${sceneBranches(scenes)}
            end as scene
          from (
            select i, ((i - ${scenes.length}) * 165 + ${draw(block, seed, 0)}) % ${BLOCK_EVENTS} as place
            from range(${from}, ${to}) as numbers(i)
          )
        )
      )
    )`;
}
