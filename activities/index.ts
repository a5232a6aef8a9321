// All activities with their dependencies bound. The return type is what workflows proxy; the names are in history.
import type { ModelCallInput, ToolCallInput } from '../contracts/agentRun.js';
import type { CompensateInput } from '../contracts/undo.js';
import { callModel } from './callModel.js';
import { type CloseRunInput, closeRun } from './closeRun.js';
import type { Deps } from './deps.js';
import { executeTool, executeToolLocally } from './executeTool.js';
import { type CheckEditInput, checkEdit } from './checkEdit.js';
import { compensateCall } from './compensateCall.js';
import { finishUndo } from './finishUndo.js';
import { pinTools } from './pinTools.js';
import { type RecordDecisionInput, recordDecision } from './recordDecision.js';
import { type RecordNoticeInput, recordNotice } from './recordNotice.js';
import { type RecordVoteInput, recordVote } from './recordVote.js';
import { type RequestApprovalInput, requestApproval } from './requestApproval.js';
import {
  type IgnoredSignal,
  type RecordSignalsInput,
  queueMessage,
  recordIgnoredSignal,
  recordSignals,
} from './signals.js';
import { type RecordPauseInput, recordPause, recordWait } from './waits.js';

export function createActivities(deps: Deps) {
  return {
    callModel: (input: ModelCallInput) => callModel(deps, input),
    executeTool: (input: ToolCallInput) => executeTool(deps, input),
    executeToolLocally: (input: ToolCallInput, toolName: string) => executeToolLocally(deps, input, toolName),
    compensateCall: (input: CompensateInput) => compensateCall(deps, input),
    finishUndo: (input: { agentRunId: string; number: number }) => finishUndo(deps, input),
    pinTools: (input: { agentRunId: string }) => pinTools(deps, input),
    requestApproval: (input: RequestApprovalInput) => requestApproval(deps, input),
    checkEdit: (input: CheckEditInput) => checkEdit(deps, input),
    recordVote: (input: RecordVoteInput) => recordVote(deps, input),
    recordNotice: (input: RecordNoticeInput) => recordNotice(deps, input),
    recordDecision: (input: RecordDecisionInput) => recordDecision(deps, input),
    recordWait: (input: ToolCallInput & { untilMs: number }) => recordWait(deps, input),
    recordPause: (input: RecordPauseInput) => recordPause(deps, input),
    recordIgnoredSignal: (input: IgnoredSignal) => recordIgnoredSignal(deps, input),
    recordSignals: (input: RecordSignalsInput) => recordSignals(deps, input),
    queueMessage: (input: { agentRunId: string; content: string }) => queueMessage(deps, input),
    closeRun: (input: CloseRunInput) => closeRun(deps, input),
  };
}
