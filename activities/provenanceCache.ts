// Where everything in a run's conversation came from, kept in the worker and extended as the run goes on.
import type { ToolDefinition } from '../contracts/tools.js';
import type { ConversationMessage } from '../harness/context/buildRequest.js';
import type { ProvenanceIndex } from '../harness/provenance/provenanceIndex.js';
import { RunProvenance } from '../harness/provenance/runProvenance.js';
import type { RunAgent } from './agentCache.js';

/** Runs kept at once, and bytes of their conversations in all. The least recently used goes first. */
const MAX_RUNS = 200;
const MAX_BYTES = 64 * 1024 * 1024;

interface Kept {
  provenance: RunProvenance;
  agent: RunAgent;
  bytes: number;
}

export class ProvenanceCache {
  private readonly runs = new Map<string, Kept>();
  private bytes = 0;

  /** Of the whole conversation. Messages are committed: those known before begin it unchanged. */
  of(
    run: { id: string; tools: readonly ToolDefinition[] },
    agent: RunAgent,
    messages: readonly ConversationMessage[],
  ): ProvenanceIndex {
    let kept = this.runs.get(run.id);
    this.forget(run.id);
    // With other tools, other labels: a changed definition that was agreed to is another agent here.
    if (kept?.agent !== agent || kept.provenance.messages > messages.length) {
      kept = { agent, provenance: new RunProvenance(agent.definition.instructions, run.tools), bytes: 0 };
    }
    for (const message of messages.slice(kept.provenance.messages)) {
      kept.provenance.add(message);
      kept.bytes += message.bytes;
    }
    this.keep(run.id, kept);
    return kept.provenance.index;
  }

  private keep(runId: string, kept: Kept): void {
    this.runs.set(runId, kept);
    this.bytes += kept.bytes;
    while (this.runs.size > 1 && (this.runs.size > MAX_RUNS || this.bytes > MAX_BYTES)) {
      this.forget(this.runs.keys().next().value as string);
    }
  }

  private forget(runId: string): void {
    this.bytes -= this.runs.get(runId)?.bytes ?? 0;
    this.runs.delete(runId);
  }
}
