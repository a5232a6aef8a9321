// How identifiers look. Made by harness/ids.ts; here only their shapes, because every room reads them.
import { z } from 'zod';

export const agentRunId = z.string().regex(/^run_[0-9A-Za-z]{10,40}$/, 'a run id looks like run_01J…');
export const approvalId = z.string().regex(/^apr_[0-9A-Za-z]{10,40}$/, 'an approval id looks like apr_…');

/** The Temporal workflow id of an agent run; stable over continue-as-new and resume. */
export const workflowIdOf = (id: string): string => `agent-run-${id}`;

/** The run of a workflow; the workflow's own id where it is none of ours. */
export const agentRunIdOf = (workflowId: string): string => workflowId.replace(/^agent-run-/, '');
