// Shows a run's status in Temporal's lists. An upsert is an event in history, so only changes are written.
import { defineSearchAttributeKey } from '@temporalio/common';
import { upsertSearchAttributes } from '@temporalio/workflow';
import type { RunStatus } from '../contracts/agentRun.js';
import { searchAttributes } from './protocol.js';
import type { RunState } from './runState.js';

const statusKey = defineSearchAttributeKey(searchAttributes.status, 'KEYWORD');

export function showStatus(run: RunState, status: RunStatus): void {
  if (run.shown === status || run.isLeaving) return;
  run.shown = status;
  upsertSearchAttributes([{ key: statusKey, value: status }]);
}
