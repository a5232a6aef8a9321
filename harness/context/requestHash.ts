// The SHA-256 of each step's request. A request extends the one before it, so only what is new is hashed: the cost of a
// step does not grow with its conversation.
import { RunningSha256 } from '../canonical.js';
import { type ConversationMessage, type RequestHead, requestFrame } from './buildRequest.js';

export class RequestHash {
  private constructor(
    private readonly hashed: RunningSha256,
    /** What follows the messages in a request. */
    private readonly after: string,
    private readonly count: number,
  ) {}

  static begin(head: RequestHead): RequestHash {
    const { before, after } = requestFrame(head);
    return new RequestHash(new RunningSha256(before), after, 0);
  }

  /** Of a conversation that begins with the messages hashed so far. */
  extend(conversation: readonly ConversationMessage[]): RequestHash {
    const texts = conversation.slice(this.count).map((m, i) => (this.count + i === 0 ? m.text : `,${m.text}`));
    return new RequestHash(this.hashed.extend(texts), this.after, conversation.length);
  }

  hex(): string {
    return this.hashed.extend([this.after]).hex();
  }
}
