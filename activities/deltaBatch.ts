// Collects pieces of a reply and hands them on a few times a second, so that watching costs little.

const FLUSH_MS = 80;

export class DeltaBatch {
  private kind: 'text' | 'thinking' = 'text';
  private text = '';
  private timer: NodeJS.Timeout | undefined;
  private sending: Promise<unknown> = Promise.resolve();

  /** `send` may fail: a lost delta is not worth a model call. */
  constructor(private readonly send: (kind: 'text' | 'thinking', text: string) => Promise<void>) {}

  add(kind: 'text' | 'thinking', text: string): void {
    if (text === '') return;
    if (kind !== this.kind) this.flush();
    this.kind = kind;
    this.text += text;
    this.timer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  async end(): Promise<void> {
    this.flush();
    await this.sending;
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { kind, text } = this;
    this.text = '';
    if (text !== '') this.sending = this.sending.then(() => this.send(kind, text)).catch(() => undefined);
  }
}
