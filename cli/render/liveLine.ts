// Lines that stay, above one that changes. Without a terminal only the lines that stay.
import type { Io } from '../io.js';
import { fit } from './style.js';

const CLEAR_LINE = '\r\u001b[2K';
const TICK_MS = 200;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

export class LiveLine {
  private timer: NodeJS.Timeout | undefined;
  private frame = 0;

  /** `status` gives the text of the moment; undefined: nothing to show. */
  constructor(
    private readonly io: Io,
    private readonly status: () => string | undefined,
  ) {
    if (io.isTerminal) this.timer = setInterval(() => this.draw(), TICK_MS);
  }

  print(line: string): void {
    this.io.out(`${this.timer ? CLEAR_LINE : ''}${line}\n`);
    if (this.timer) this.draw();
  }

  stop(): void {
    if (this.timer === undefined) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.io.out(CLEAR_LINE);
  }

  private draw(): void {
    const text = this.status();
    this.frame = (this.frame + 1) % FRAMES.length;
    if (text !== undefined) this.io.out(CLEAR_LINE + fit(`${FRAMES[this.frame]} ${text}`, this.io.columns() - 1));
  }
}
