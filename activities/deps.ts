// What activities need from the process they run in; made once by worker/main.ts.
import type { Logger } from 'pino';
import type { Pool } from '../db/pool.js';
import type { Redactor } from '../harness/redaction/redactor.js';
import type { Models } from '../providers/models.js';
import type { ToolRegistry } from '../tools/registry.js';
import type { AgentCache } from './agentCache.js';
import type { ConversationCache } from './conversation.js';
import type { ProvenanceCache } from './provenanceCache.js';
import type { LocalCalls } from './executeTool.js';
import type { WorkerProcess } from '../db/workers.js';
import type { Suspects } from './suspects.js';
import type { CallsUnderWay } from './underWay.js';

export interface Deps {
  pool: Pool;
  models: Models;
  tools: ToolRegistry;
  agents: AgentCache;
  conversations: ConversationCache;
  provenance: ProvenanceCache;
  localCalls: LocalCalls;
  suspects: Suspects;
  underWay: CallsUnderWay;
  /** Of another worker: has its process ended, or has nothing been heard of it for the length of a lease? */
  isLost: (worker: WorkerProcess & { id: string }) => boolean;
  workerId: string;
  /** Folder with one folder per run. */
  workspacesDir: string;
  /** What is asked for here is known to `redactor` from then on. */
  secret: (name: string) => string | undefined;
  redactor: Redactor;
  log: Logger;
}
