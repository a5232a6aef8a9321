// Undos that a person approved and that are not finished: their workflow is started if it is not there.
import { isServerTrouble } from '../api/errors.js';
import { startUndo } from '../api/undoRun.js';
import { openUndos } from '../db/undos.js';
import type { StarterDeps } from './runsWithoutWorkflow.js';
import type { Sweep } from './sweep.js';

/** Younger ones are being started by the process that took the approval. In milliseconds. */
const MIN_AGE_MS = 3000;
const BATCH = 100;

export const undosWithoutWorkflow = (deps: StarterDeps): Sweep => ({
  name: 'undos-without-workflow',
  async run() {
    for (const undo of await openUndos(deps.pool, MIN_AGE_MS, BATCH)) {
      try {
        await startUndo(deps, undo);
      } catch (err) {
        if (isServerTrouble(err)) throw err;
        deps.log.error({ err, agentRunId: undo.agentRunId }, 'housekeeping cannot start this undo; the others go on');
      }
    }
    return [];
  },
});
