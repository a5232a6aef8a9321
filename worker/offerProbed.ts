// Offers the sandboxed tools once their sandboxes were tried, and says of the others why it does not.
import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import { type Pool, withTransaction } from '../db/pool.js';
import { offerTools, refuseTools } from '../db/workers.js';
import { type ToolRegistry, definitionHash } from '../tools/registry.js';

/** First what a worker was started for: calls that wait, and runs of one that died. In milliseconds. */
const SETTLE_MS = 500;
const AGAIN_MS = 2000;
/** A machine that was too busy to tell whether a sandbox holds may have time later. */
const UNDECIDED_MS = 30_000;

/** Tries again while the database is away. A call that comes before is run all the same, after the probe. */
export async function offerProbedTools(
  pool: Pool,
  workerId: string,
  tools: Pick<ToolRegistry, 'probed'>,
  log: Logger,
  stopping: AbortSignal,
): Promise<void> {
  for (let pause = SETTLE_MS; !stopping.aborted;) {
    try {
      await setTimeout(pause, undefined, { signal: stopping, ref: false });
      const probed = await tools.probed();
      const rows = probed.map((tool) => ({ ...tool, hash: definitionHash(tool.definition) }));
      const refused = rows.flatMap(({ definition, hash, refused: reason }) =>
        reason === undefined ? [] : [{ definition, hash, reason }],
      );
      await withTransaction(pool, async (tx) => {
        await offerTools(tx, workerId, rows.filter((row) => row.refused === undefined)); // prettier-ignore
        await refuseTools(tx, workerId, refused);
      });
      for (const { definition, reason } of refused) log.warn({ tool: definition.name, reason }, 'not offered');
      if (!probed.some(({ undecided }) => undecided)) return;
      pause = UNDECIDED_MS;
    } catch (err) {
      pause = AGAIN_MS;
      if (!stopping.aborted) log.warn({ err }, 'the sandboxed tools could not be offered yet; it tries again');
    }
  }
}
