// What routes need; made once by api/main.ts or by a test.
import type { Logger } from 'pino';
import type { Pool } from '../db/pool.js';
import type { Redactor } from '../harness/redaction/redactor.js';
import type { RunLinks } from './render.js';
import type { Audit } from './signHeads.js';
import type { StreamHub } from './streamHub.js';
import type { RunWorkflows } from './temporal.js';

export interface ApiDeps {
  /** Sees the rows of the caller's tenant; without a caller none. */
  pool: Pool;
  /** Sees everything: for keys, whose tenant is not known before they are read. */
  wholePool: Pool;
  workflows: RunWorkflows;
  hub: StreamHub;
  links: RunLinks;
  audit: Audit;
  redactor: Redactor;
  log: Logger;
}
