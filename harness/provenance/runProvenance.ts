// The provenance of one run: what its operator wrote, and its conversation as far as it has come.
import type { AgentDefinition } from '../../contracts/agent.js';
import type { ToolDefinition } from '../../contracts/tools.js';
import { ConversationSpans, type ProvenanceMessage } from './conversationSpans.js';
import { operatorSpans } from './operatorSpans.js';
import { ProvenanceIndex } from './provenanceIndex.js';
import { asksAboutClean } from './provenanceOfCall.js';

export class RunProvenance {
  readonly index = new ProvenanceIndex();
  private readonly spans: ConversationSpans;
  /** Messages taken so far. */
  messages = 0;

  constructor(instructions: AgentDefinition['instructions'], tools: readonly ToolDefinition[]) {
    this.spans = new ConversationSpans(tools, (tool, input) => asksAboutClean(this.index, tool, input));
    for (const span of operatorSpans(instructions, tools)) this.index.add(span);
  }

  /** Messages come in their order, each once. */
  add(message: ProvenanceMessage): void {
    for (const span of this.spans.of(message)) this.index.add(span);
    this.messages += 1;
  }
}
